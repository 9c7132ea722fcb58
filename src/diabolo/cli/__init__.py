"""The command `diabolo`."""
