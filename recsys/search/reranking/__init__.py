"""Learning beyond the plain bi-encoder: a cross-encoder for the last step, hard negatives for the first."""
