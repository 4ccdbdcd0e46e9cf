"""Smaller encoders: distillation, pruning, low-rank factorisation, static word-vector tables."""
