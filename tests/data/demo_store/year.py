"""The full demo store of seed 0, generated once for all tests that look at it (and change nothing in it)."""

from functools import lru_cache

from recsys.data.demo_store import load, load_truth
from recsys.data.demo_store.truth import Truth
from recsys.data.tables import Dataset


@lru_cache(maxsize=1)
def year() -> tuple[Dataset, Truth]:
    """The public tables and the ground truth."""
    return load(0), load_truth(0)
