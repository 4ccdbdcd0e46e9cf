"""One random stream per part of the store, so that a new part does not shift the others."""

import numpy as np

from recsys.data.demo_store.constants import SIZES

# Append only: a part's place in this tuple is its stream.
PARTS = (
    "catalogue",
    "appearance",
    "latent",
    "words",
    "users",
    "sessions",
    "browsing",
    "queries",
    "policy",
    "clicks",
    "carts",
    "purchases",
    "ratings",
    "reviews",
    "judgements",
    "pixels",
    "texts",
    "codes",
    "review_times",
)


def generator(seed: int, size: str, part: str) -> np.random.Generator:
    """The random generator of one part.

    Args:
        seed: >= 0.
        size: "full" or "small".
        part: one of `PARTS`.

    Raises:
        ValueError: the size is unknown or the seed is negative.
    """
    if size not in SIZES:
        raise ValueError(f"The demo store has no size {size!r}; choose one of {', '.join(SIZES)}.")
    if seed < 0:
        raise ValueError(f"The seed of the demo store is {seed}; it must be 0 or more.")
    key = (list(SIZES).index(size), PARTS.index(part))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
