"""What only the picture shows: colour, pattern and shape of each product, drawn independently of its text."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.demo_store.seeds import generator
from recsys.data.demo_store.vocabulary import COLOURS, PATTERNS, SHAPES


@dataclass(frozen=True)
class Appearance:
    """M products. colour, pattern, shape: [M] codes into the lists of `vocabulary`."""

    colour: np.ndarray
    pattern: np.ndarray
    shape: np.ndarray

    def codes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """colour, pattern, shape, in this order."""
        return self.colour, self.pattern, self.shape

    def names(self) -> pd.DataFrame:
        """Table with the columns colour, pattern, shape (words), row number = item code."""
        lists = {"colour": COLOURS, "pattern": PATTERNS, "shape": SHAPES}
        return pd.DataFrame({k: np.array(v, dtype=object)[getattr(self, k)] for k, v in lists.items()})


def draw_appearance(seed: int, size: str, n_items: int) -> Appearance:
    """Draw colour, pattern and shape independently, each value for an equal share of the products."""
    random = generator(seed, size, "appearance")
    return Appearance(*(random.permutation(np.arange(n_items) % len(k)) for k in (COLOURS, PATTERNS, SHAPES)))
