"""Sweeps: many trials of a function or a notebook; Ray Tune is the engine, our own log the truth."""
