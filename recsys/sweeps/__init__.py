"""Hyperparameter sweeps: trials of a function or a notebook, run by Ray Tune, recorded in a log of our
own."""
