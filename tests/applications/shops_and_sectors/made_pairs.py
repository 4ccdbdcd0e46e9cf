"""Two shops made by a seed: a taste decides what a user buys in either."""

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.applications.shops_and_sectors.pairs import ShopPair


def made(users: int = 150, seed: int = 0, linked: bool = True) -> ShopPair:
    """Four tastes; items of the shops belong to one taste each. linked: tastes agree between the shops."""
    draw = np.random.default_rng(seed)
    taste = draw.integers(0, 4, users)
    other = taste if linked else draw.permutation(taste)
    source, target = (_bought(draw, which, 80) for which in (other, taste))
    rows, columns = target.nonzero()
    hidden = pd.DataFrame({"user": rows, "item": columns}).groupby("user").sample(1, random_state=seed)
    target = target.tolil()
    target[hidden["user"], hidden["item"]] = 0
    target = target.tocsr()
    target.eliminate_zeros()
    return ShopPair("made", source, target, hidden.astype("int64").reset_index(drop=True))


def _bought(draw: np.random.Generator, taste: np.ndarray, items: int) -> sparse.csr_matrix:
    fits = taste[:, None] == (np.arange(items) % 4)[None, :]
    return sparse.csr_matrix((draw.random(fits.shape) < np.where(fits, 0.3, 0.02)).astype(np.float32))
