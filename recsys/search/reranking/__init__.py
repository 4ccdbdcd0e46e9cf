"""Learning beyond the plain bi-encoder: a cross-encoder for the last step, and hard negatives for the first."""
