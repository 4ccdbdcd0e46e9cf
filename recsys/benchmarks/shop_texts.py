"""Titles and queries of a shop to judge variants by, apart from those that they learn from."""

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
    """judged: catalogue and queries to judge by. calibration: at most 300 titles for rounding. learning:
    titles, queries and phrases for students, the calibration's among them. tried_on: titles and queries of
    these, for `fast_encoder` to choose by. Nothing but `judged` is judged."""

    judged: Texts
    calibration: list[str]
    learning: list[str]
    tried_on: Texts

    @property
    def counts(self) -> dict[str, int]:
        """n_titles, n_queries: that are judged."""
        return {"n_titles": len(self.judged.titles), "n_queries": len(self.judged.queries)}


def shop_texts(dataset: str, titles: int, queries: int, seed: int = 0) -> ShopTexts:
    """Draw what is judged from nine tenths of a shop's texts; the rest is learnt from.

    A text belongs to one side by its own hash, so another seed or number draws from the same side. Home
    Depot's queries are divided as its search task divides them: students learn from the training part, the
    test part is judged (its judged lists hold titles of both sides). Beauty has no queries: titles that are
    not in the catalogue stand in for them.

    Args:
        dataset: "demo_store", "beauty" or "home_depot".
        titles, queries: drawn at most, at least 10 titles and 1 query.

    Raises:
        ValueError: an unknown data set, numbers out of range.
        DataUnavailable: its files cannot be had.
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
    """Runs of two to five words out of titles, distinct: of a query's length, and about what the shop has.

    Args:
        each: runs drawn from a title; a title of one word gives itself.
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
    """What is judged, and what is learnt from."""
    sides = dict(zip(texts, by_salt(texts, SALT, SHARES), strict=True))
    return [t for t in texts if sides[t] == "judged"], [t for t in texts if sides[t] == "learning"]


def _tried_on(titles: list[str], queries: list[str]) -> Texts:
    return Texts(drawn(titles, TITLES, 0), drawn(queries, QUERIES, 0))


def _store_queries() -> list[str]:
    store = load_dataset("demo_store", size="small")
    return store.events["query"].dropna().drop_duplicates().tolist()
