"""Smaller encoders: distillation, pruning, low rank, a table of word vectors."""
