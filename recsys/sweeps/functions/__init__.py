"""What a trial of a sweep can run: one file each, one line in `registry`."""
