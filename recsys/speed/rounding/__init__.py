"""Quantisation of weights, activations and embedding tables to int8, and training for it."""
