"""Engines: what computes the vectors once a variant is built."""
