"""Re-ranking by a cross-encoder or by late interaction, and mining of hard negatives for training."""
