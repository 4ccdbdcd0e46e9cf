"""Throughput of training: this kit's loop beside others, and the arithmetic it needs at least."""
