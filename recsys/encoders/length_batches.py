"""Batches of texts of similar length, to reduce padding.

n: texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BUCKET = 4096


def length_batches(
    lengths: np.ndarray,
    *,
    batch_size: int | None = None,
    token_budget: int | None = None,
    shuffle_seed: int | None = None,
    bucket: int = BUCKET,
) -> list[np.ndarray]:
    """Divide the rows 0 … n − 1 into batches; every row is in exactly one.

    Without a seed: sorted, longest first, so that a batch too large for the memory fails at once and
    progress bars are pessimistic. With a seed: rows are shuffled, sorted by length within buckets, cut, and
    the batches shuffled: an epoch of random batches, the same for the same seed. The last batch of a bucket
    may be smaller.

    Args:
        lengths: [n] whole numbers ≥ 1, tokens of each text.
        batch_size: rows of a batch.
        token_budget: tokens of a padded batch, rows × longest; a single row longer than that is a batch of
            its own. Exactly one of `batch_size` and `token_budget` is given.
        shuffle_seed: None or a whole number ≥ 0; use another one for every epoch.
        bucket: rows sorted together when shuffling (rounded up to whole batches of `batch_size`): small
            buckets are more random, large ones give less padding.

    Returns:
        int64 index arrays, none empty; [] for no rows.

    Raises:
        ValueError: both or neither of size and budget, one below 1, a length below 1 or not whole.

    Example:
        >>> [rows.tolist() for rows in length_batches(np.array([3, 9, 4]), batch_size=2)]
        [[1, 2], [0]]
    """
    lengths = _checked(lengths)
    if (batch_size is None) == (token_budget is None):
        raise ValueError("give either batch_size or token_budget")
    for name, value in (("batch_size", batch_size), ("token_budget", token_budget), ("bucket", bucket)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if shuffle_seed is None:
        return _cut(np.argsort(-lengths, kind="stable"), lengths, batch_size, token_budget)
    if batch_size is not None:
        bucket = -(-bucket // batch_size) * batch_size
    generator = np.random.default_rng(shuffle_seed)
    order = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        rows = rows[np.argsort(-lengths[rows], kind="stable")]
        batches += _cut(rows, lengths, batch_size, token_budget)
    return [batches[place] for place in generator.permutation(len(batches))]


def padding_share(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """Share of the padded batches' tokens that is padding, in [0, 1); 0 without batches."""
    lengths = _checked(lengths)
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches if len(batch))
    real = sum(int(lengths[batch].sum()) for batch in batches)
    return 1 - real / padded if padded else 0.0


def _cut(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int | None, token_budget: int | None
) -> list[np.ndarray]:
    """Cut rows sorted longest first: the first row of a batch determines how many fit."""
    batches, start = [], 0
    while start < len(rows):
        size = batch_size or max(1, token_budget // int(lengths[rows[start]]))
        batches.append(rows[start : start + size])
        start += size
    return batches


def _checked(lengths: np.ndarray) -> np.ndarray:
    lengths = np.asarray(lengths)
    if lengths.ndim != 1 or (len(lengths) and lengths.dtype.kind not in "iu"):
        raise ValueError(f"lengths must be [n] whole numbers, got {lengths.dtype} of shape {lengths.shape}")
    lengths = lengths.astype(np.int64)  # unsigned numbers have no minus to sort by
    if len(lengths) and lengths.min() < 1:
        row = int(lengths.argmin())
        raise ValueError(f"lengths must be at least 1, got {lengths[row]} in row {row}")
    return lengths
