"""The exception of ensembling."""


class EnsembleError(ValueError):
    """Scores, weights or models that cannot be fused; the message says what is wrong and how to mend it."""
