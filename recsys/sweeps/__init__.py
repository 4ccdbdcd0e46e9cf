"""Hyperparameter sweeps: trials of a function or a notebook, run by Ray Tune, kept in a log of our own."""
