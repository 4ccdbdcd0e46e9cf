"""A test of explanations: deleting the words that are said to decide has to cost more than deleting others.

P: pairs of query and title. n: words of the explained side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.encoders.backbone import Backbone
from recsys.metrics.significance import Comparison, paired_bootstrap
from recsys.search.errors import SearchError
from recsys.search.explanations.words import Side, cosines, integrated_gradients, occluded, words_of

METHODS: dict[str, Callable[[Backbone, str, str, Side], pd.DataFrame]] = {
    "occlusion": occluded,
    "integrated gradients": lambda *pair: integrated_gradients(*pair).words,
}
GRID = np.linspace(0, 1, 11)  # shares of a text's words, at which the curves of texts of any length meet


@dataclass(frozen=True)
class Deletion:
    """curves: share (of the words deleted, 0 to 1), and the mean cosine after it in the explanation's order
    ("explained") and in random order ("chance"). areas: by pair, mean cosine along each curve, and
    "difference", chance minus explained. gain: mean difference with its interval over pairs; the explanation
    is shown to be faithful where `gain.low` > 0. left_out: pairs with one word, which has one order only.
    """

    curves: pd.DataFrame
    areas: pd.DataFrame
    gain: Comparison
    left_out: int


def deletion_curve(
    backbone: Backbone,
    queries: Sequence[str],
    titles: Sequence[str],
    method: str = "occlusion",
    side: Side = "title",
    draws: int = 10,
    seed: int = 0,
) -> Deletion:
    """The cosine after deleting the k most important words, k = 0 … n, against deleting in random order.

    Occlusion is at an advantage at k = 1, which it was measured by; the area counts every k.

    Args:
        queries, titles: [P].
        method: of METHODS. side: whose words are deleted.
        draws: random orders of each pair. seed: of these, and of the interval's resampling.

    Raises:
        SearchError: no such method, lengths differ, draws below 1, a text without words, or fewer than two
            pairs with two words.
    """
    if method not in METHODS:
        raise SearchError(f"no explanation {method!r}; there are {', '.join(METHODS)}")
    if len(queries) != len(titles) or draws < 1:
        raise SearchError(
            f"{len(queries)} queries need as many titles, got {len(titles)}, and 1 or more draws, got {draws}"
        )
    random = np.random.default_rng(seed)
    curves = []
    for query, title in zip(queries, titles, strict=True):
        words = words_of(title if side == "title" else query)
        if len(words) > 1:
            share = METHODS[method](backbone, query, title, side)["share"].to_numpy()
            orders = [
                np.argsort(-share, kind="stable"),
                *(random.permutation(len(words)) for _ in range(draws)),
            ]
            texts = [_without(words, order[:k]) for order in orders for k in range(len(words) + 1)]
            found = cosines(backbone, query, title, side, texts).reshape(len(orders), -1)
            along = np.linspace(0, 1, len(words) + 1)
            curves.append([np.interp(GRID, along, own) for own in (found[0], found[1:].mean(0))])
    if len(curves) < 2:
        raise SearchError("a deletion curve needs two pairs or more with two words")
    both = np.array(curves)  # [P, 2, points]
    areas = pd.DataFrame(np.trapezoid(both, GRID, axis=2), columns=["explained", "chance"])
    gain = paired_bootstrap(areas["chance"], areas["explained"], seed=seed)
    mean = pd.DataFrame(both.mean(0).T, columns=["explained", "chance"])
    mean.insert(0, "share", GRID)
    areas["difference"] = areas["chance"] - areas["explained"]
    return Deletion(mean, areas, gain, len(queries) - len(curves))


def _without(words: list[str], gone: np.ndarray) -> str:
    left = set(gone.tolist())
    return " ".join(word for place, word in enumerate(words) if place not in left)
