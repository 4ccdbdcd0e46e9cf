"""A data set prepared for next-item models: split, training events, item texts.

M: items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys.data.leaks import check_leaks
from recsys.data.load import load_dataset
from recsys.data.splits import Split, by_salt, split
from recsys.data.tables import Dataset
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.item_text import item_texts
from recsys.training.hyperparameter_search.validation_only import without_test

TITLE_TOKENS = 64


@dataclass
class NextItemData:
    """A split data set with its item texts.

    Attributes:
        dataset, split: the data set and its split.
        train: the events that models are trained on.
        titles: M strings, or None where the data set has none.
        described: M strings, title and category path, for frozen encoders; or None.
    """

    dataset: Dataset
    split: Split
    train: pd.DataFrame
    titles: list[str] | None
    described: list[str] | None

    @property
    def known(self) -> pd.DataFrame:
        """Events known when the test part begins: training and validation."""
        return pd.concat([self.split.train, self.split.validation], ignore_index=True)

    def text_vectors(self, backbone: str = "minilm") -> np.ndarray:
        """[M, D] unit-length vectors of `described`; computed once and cached."""
        self.required_titles()
        if backbone not in self._vectors:
            self._vectors[backbone] = embed_texts(
                load_backbone(backbone), self.described, max_tokens=TITLE_TOKENS
            )
        return self._vectors[backbone]

    def required_titles(self) -> list[str]:
        """The titles.

        Raises:
            ValueError: the data set has none.
        """
        if self.titles is None:
            raise ValueError(
                f"{self.dataset.name} has no titles, and a model of texts has nothing to read: choose "
                "a model of ids (sequence, sasrec, ease, ...) or another data set (beauty, demo_store)"
            )
        return self.titles

    def without_test(self) -> NextItemData:
        """The same without any event of the test period, for a search of settings."""
        parts = self.split
        if not isinstance(parts.test, pd.DataFrame):
            return self
        events = self.dataset.events
        later = events.index.isin(parts.test.index)
        if "test_from" in parts.boundaries:
            later |= (events["time"] >= parts.boundaries["test_from"]).to_numpy()
        else:  # only the order is known: the user's events from the first test event on
            first = parts.test.groupby("user")["order"].min()
            later |= (events["order"] >= events["user"].map(first)).to_numpy()
        dataset = replace(self.dataset, events=events[~later])
        blind = replace(self, dataset=dataset, split=without_test(parts))
        blind._vectors = self._vectors  # of titles alone
        return blind

    def __post_init__(self):
        self._vectors: dict[str, np.ndarray] = {}


def load_next_item(name: str, train_share: float = 1.0, seed: int = 0) -> NextItemData:
    """Load a data set, split it by default (global time where there are times), and check for leaks.

    Args:
        name: of the data set.
        train_share: share of the users whose training events are used, in (0, 1]; chosen by a hash of the
            user's id, so that a smaller share is contained in a larger one. All users are evaluated, each
            with the whole history as input.
        seed: of the choice of users.

    Raises:
        ValueError: the share is out of range, or leaves no user.
        LeakError: the split leaks held-out data into training.

    Example:
        >>> data = load_next_item("demo_store", train_share=0.1)
        >>> data.split.kind, len(data.train) < len(data.split.train)
        ('global_time', True)
    """
    if not 0 < train_share <= 1:
        raise ValueError(f"train_share must be in (0, 1], got {train_share}")
    dataset = load_dataset(name)
    parts = split(dataset)
    check_leaks(parts, dataset)
    train = parts.train
    if train_share < 1:
        shares = {"kept": train_share, "rest": 1 - train_share}
        kept = by_salt(dataset.users["source_id"], f"train_share {seed}", shares) == "kept"
        train = train[kept[train["user"].to_numpy()]]
    if train.empty:
        raise ValueError(f"train_share={train_share} leaves no user of {name}")
    has_titles = "title" in dataset.items and dataset.items["title"].notna().any()
    titles = item_texts(dataset.items) if has_titles else None
    described = item_texts(dataset.items, ("title", "category"), absent_ok=True) if has_titles else None
    return NextItemData(dataset, parts, train, titles, described)
