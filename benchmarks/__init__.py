"""Speed, size and exactness against peers and against what is known; `python -m benchmarks.NAME --help`."""
