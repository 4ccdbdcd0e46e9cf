"""Rounding weights and activations to int8."""
