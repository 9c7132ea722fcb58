"""What a fitted model is asked to do: one verb a file."""
