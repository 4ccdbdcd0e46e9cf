"""Functions that a sweep's trials can run, one per file, each a line in `registry`."""
