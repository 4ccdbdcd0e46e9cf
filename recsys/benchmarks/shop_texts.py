"""Titles and queries of a shop for evaluating encoders, separate from those for training and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.data.load import load_dataset
from recsys.data.splits import by_salt
from recsys.speed.choice import CALIBRATION, QUERIES, TITLES, Texts
from recsys.speed.quality import drawn, real_queries, real_titles

SALT = "speed texts"
SHARES = {"learning": 0.1, "judged": 0.9}
DATASETS = ("demo_store", "beauty", "home_depot")


@dataclass(frozen=True)
class ShopTexts:
    """Texts of a shop, divided.

    Attributes:
        judged: catalogue and queries for evaluation; used for nothing else.
        calibration: at most 300 titles for quantisation.
        learning: titles, queries and phrases for training students, including the calibration's.
        tried_on: titles and queries of `learning`, for the choice of `fast_encoder`.
    """

    judged: Texts
    calibration: list[str]
    learning: list[str]
    tried_on: Texts

    @property
    def counts(self) -> dict[str, int]:
        """Metrics n_titles and n_queries: sizes of `judged`."""
        return {"n_titles": len(self.judged.titles), "n_queries": len(self.judged.queries)}


def shop_texts(dataset: str, titles: int, queries: int, seed: int = 0) -> ShopTexts:
    """Draw evaluation texts from nine tenths of a shop's texts; the rest is for training.

    A text's side depends on its hash, so another seed or number draws from the same side. Home Depot's
    queries are split as in its search task: students are trained on the training part and evaluated on the
    test part (whose judged lists contain titles of both sides). Beauty has no queries: titles that are not in
    the catalogue are used as queries.

    Args:
        dataset: "demo_store", "beauty" or "home_depot".
        titles, queries: most that are drawn, at least 10 titles and 1 query.

    Raises:
        ValueError: an unknown data set, numbers out of range.
        DataUnavailable: its files cannot be obtained.
    """
    if dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, not {dataset!r}")
    if titles < 10 or queries < 1:
        raise ValueError(f"at least 10 titles and 1 query are needed, got {titles} and {queries}")
    judged, own = _sides(real_titles(dataset))
    calibration = drawn(own, CALIBRATION, 0)
    if dataset == "beauty":
        both = drawn(judged, titles + queries, seed)
        asked = phrases(own, but=judged)
        return ShopTexts(
            Texts(both[queries:], both[:queries]), calibration, own + asked, _tried_on(own, asked)
        )
    if dataset == "home_depot":
        asked, learnt = real_queries(part="test"), real_queries(part="train")
    else:
        asked, learnt = _sides(_store_queries())
    texts = Texts(drawn(judged, titles, seed), drawn(asked, queries, seed))
    learning = own + learnt + phrases(own, but=judged + asked)
    return ShopTexts(texts, calibration, learning, _tried_on(own, learnt))


def phrases(titles: Sequence[str], each: int = 2, seed: int = 0, but: Sequence[str] = ()) -> list[str]:
    """Distinct phrases of two to five consecutive words of titles, as substitutes for queries.

    Args:
        each: phrases drawn from a title; a title of one word is a phrase itself.
        but: texts that are left out.
    """
    generator, found = np.random.default_rng(seed), {}
    for title in titles:
        words = title.split()
        for length in generator.integers(2, 6, each):
            start = generator.integers(max(1, len(words) - length + 1))
            found[" ".join(words[start : start + length])] = None
    left_out = {"", *but}
    return [phrase for phrase in found if phrase not in left_out]


def _sides(texts: list[str]) -> tuple[list[str], list[str]]:
    """The texts for evaluation, and those for training."""
    sides = dict(zip(texts, by_salt(texts, SALT, SHARES), strict=True))
    return [t for t in texts if sides[t] == "judged"], [t for t in texts if sides[t] == "learning"]


def _tried_on(titles: list[str], queries: list[str]) -> Texts:
    return Texts(drawn(titles, TITLES, 0), drawn(queries, QUERIES, 0))


def _store_queries() -> list[str]:
    store = load_dataset("demo_store", size="small")
    return store.events["query"].dropna().drop_duplicates().tolist()
