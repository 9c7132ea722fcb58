"""Scripts that reproduce the figures stated elsewhere; `python -m runs.NAME --help`."""
