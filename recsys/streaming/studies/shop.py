"""A data set prepared for notebook 08: events as rows, cut in time, with item vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.load import load_dataset
from recsys.data.tables import Dataset
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.item_text import item_texts
from recsys.models.next_item.title_sequence import SETTINGS, TitleSequence
from recsys.streaming.item_factors import item_factors
from recsys.streaming.overlay import Ranker
from recsys.streaming.replay import event_rows
from recsys.streaming.sequence_ranker import SequenceRanker
from recsys.streaming.shard_batch import apply_rows
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import TopLists
from recsys.streaming.user_state import StateSpec

TITLE_TOKENS = 64
LIST = 10
SEQUENCE_WIDTH = 64
DEMO = "demo_store"


@dataclass(frozen=True)
class Shop:
    """A prepared data set.

    kinds: kinds of events that are read. rows: [K] of `EVENT` by time. first: index of the first row after
    the cut. vectors: [M, D] item vectors from the rows before it. spec: of the user states.
    """

    dataset: Dataset
    kinds: tuple[str, ...]
    rows: np.ndarray
    first: int
    vectors: np.ndarray
    spec: StateSpec

    @property
    def titles(self) -> list[str]:
        """M titles; source ids where the data set has none."""
        items = self.dataset.items
        return [str(text) for text in items["title" if "title" in items else "source_id"]]

    def ranker(self, kind: str = "state", epochs: float = 8.0, seed: int = 0) -> Ranker:
        """A ranker of user states, fitted on the rows before the cut.

        Args:
            kind: "state": interest and intent with the item vectors. "sequence": the sequence model of
                notebook 02, trained for `epochs` epochs.

        Raises:
            ValueError: another kind.
        """
        if kind not in ("state", "sequence"):
            raise ValueError(f"ranker must be 'state' or 'sequence', not {kind!r}")
        if kind == "sequence":
            return SequenceRanker(self._trained(epochs, seed), LIST, self.spec.recent)
        before = np.bincount(self.rows["item"][: self.first], minlength=len(self.vectors))
        return TopLists(self.vectors, before, k=LIST)

    def _trained(self, epochs: float, seed: int) -> TitleSequence:
        settings = replace(SETTINGS, epochs=epochs, seed=seed)
        before = pd.DataFrame({name: self.rows[name][: self.first] for name in ("user", "item", "time")})
        before["order"] = before.groupby("user").cumcount()  # rows are by time
        model = TitleSequence(None, settings=settings, width=SEQUENCE_WIDTH, most_per_user=20)
        return model.fit(before, self.dataset.n_users, self.dataset.n_items)

    def text_vectors(self, backbone: str = "minilm") -> np.ndarray | None:
        """[M, D] unit-length title vectors, None where there are no titles."""
        if "title" not in self.dataset.items:
            return None
        texts = item_texts(self.dataset.items, ("title", "category"), absent_ok=True)
        return embed_texts(load_backbone(backbone), texts, max_tokens=TITLE_TOKENS)

    def store_at(self, folder: Path, place: int):
        """An embedded feature store with the rows before index `place`."""
        store = open_store(folder, self.spec, 4)
        apply_rows(store, 0, self.rows[:place], self.vectors)
        return store


def load_shop(
    name: str, kinds: str, test_share: float, size: str = "full", spec: StateSpec | None = None
) -> Shop:
    """Load a data set and cut it in time.

    Args:
        kinds: separated by commas, such as "click,cart,purchase".
        test_share: share of the rows after the cut.
        size: of the demo store.

    Raises:
        ValueError: the data set has no times, or no event of these kinds.
    """
    dataset = load_dataset(name, **({"size": size} if name == DEMO else {}))
    chosen, spec = tuple(kinds.split(",")), spec or StateSpec()
    rows = event_rows(dataset, chosen)
    rows = rows[rows["item"] >= 0]
    if not len(rows):
        raise ValueError(f"{name} has no event of the kinds {kinds}")
    first = int((1 - test_share) * len(rows))
    vectors = item_factors(rows[:first], dataset.n_items, spec.width)
    return Shop(dataset, chosen, rows, first, vectors, spec)
