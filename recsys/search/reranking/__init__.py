"""Re-ranking by a cross-encoder, and mining of hard negatives for training."""
