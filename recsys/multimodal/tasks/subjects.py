"""The items of the tasks "classify" and "retrieve": a table with texts and pictures, split into three parts.

Either labelled media by their name in the data registry, or the demo store, whose generated pictures are
written to files so that they are decoded like any others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from filelock import FileLock
from PIL import Image

from recsys.data import demo_store
from recsys.data.files.locations import cache_folder
from recsys.data.media.load import load_samples
from recsys.data.media.samples import sample_parts
from recsys.data.sources import DEMO_STORE
from recsys.data.splits import PARTS, by_salt
from recsys.data.tables import Dataset
from recsys.multimodal.features import FeatureError

# 30 % of the names are held out, as in the earlier measurements that results are compared with
SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}
LEAST_OF_A_CLASS = 2  # training rows of a class that counts as seen: one is held back for early stopping


@dataclass(frozen=True)
class Subjects:
    """n items.

    Attributes:
        table: columns as the modalities read them. parts: part → row numbers. labels: names of label columns.
        classes: one row per class where classes have a description and a picture of their own.
    """

    name: str
    table: pd.DataFrame
    parts: dict[str, np.ndarray]
    labels: tuple[str, ...]
    classes: pd.DataFrame | None = None

    def coded(self, label: str) -> tuple[np.ndarray, list[str], dict[str, np.ndarray]]:
        """Class codes [n], the class names, and the parts without rows that lack a label.

        Codes below the number of names are classes with at least two training rows; a test row of another
        class has a higher code, stays in the test part and always counts as wrong.

        Raises:
            FeatureError: no such label.
        """
        if label not in self.labels:
            raise FeatureError(f"{self.name} has no label {label!r}; it has {', '.join(self.labels)}")
        values = self.table[label]
        count = values.iloc[self.parts["train"]].value_counts()
        names = sorted(count.index[count >= LEAST_OF_A_CLASS])
        codes = pd.Index(names).get_indexer(values)
        others = sorted(set(values.dropna()) - set(names))
        unseen = pd.Index(others).get_indexer(values)
        codes = np.where((codes < 0) & (unseen >= 0), len(names) + unseen, codes).astype(np.int64)
        labelled = {part: rows[values.iloc[rows].notna().to_numpy()] for part, rows in self.parts.items()}
        for part in ("train", "validation"):
            labelled[part] = labelled[part][codes[labelled[part]] < len(names)]
        return codes, names, labelled


def load_subjects(name: str, most_rows: int = 0, seed: int = 0) -> Subjects:
    """Labelled media by name, or the demo store.

    The demo store's labels are colour, pattern and shape, which only pictures show, and category, material
    and style, which only texts mention.

    Args:
        most_rows: keep at most so many rows, chosen by hash from all parts; 0: all.
        seed: of the demo store.

    Raises:
        RegistryError, DataUnavailable: as `load_samples`.
    """
    if name == DEMO_STORE:
        made = _demo_store(seed)
    else:
        samples = load_samples(name)
        parts = sample_parts(samples, shares=SHARES)
        made = Subjects(name, samples.table, parts, samples.labels, samples.classes)
    if not most_rows or len(made.table) <= most_rows:
        return made
    share = most_rows / len(made.table)
    draw = by_salt(made.table["source_id"], "most_rows", {"kept": share, "rest": 1 - share}) == "kept"
    place = np.cumsum(draw) - 1
    parts = {part: place[rows[draw[rows]]] for part, rows in made.parts.items()}
    return Subjects(name, made.table[draw].reset_index(drop=True), parts, made.labels, made.classes)


def drawn_pictures(store: Dataset, seed: int) -> list[str]:
    """Paths of the demo store's pictures, written to PNG files in the cache folder once."""
    folder = cache_folder() / "unpacked" / f"demo_store_{seed}_{store.n_items}"
    done = folder / "done"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            for item, pixels in enumerate(demo_store.pictures(store, seed=seed)):
                Image.fromarray(pixels).save(folder / f"{item}.png")
            done.touch()
    return [str(folder / f"{item}.png") for item in range(store.n_items)]


def _demo_store(seed: int) -> Subjects:
    store = demo_store.load(seed=seed)
    look = demo_store.load_truth(seed=seed).appearance
    table = store.items[["item", "source_id", "title", "description", "category", "material", "style"]].copy()
    table["picture"] = drawn_pictures(store, seed)
    table["text"] = table["title"] + ". " + table["description"]
    table["category"] = table["category"].str.split(" > ").str[-1]
    table[["colour", "pattern", "shape"]] = look[["colour", "pattern", "shape"]].to_numpy()
    part = by_salt(table["source_id"], "recsys", SHARES)
    parts = {name: np.flatnonzero(part == name) for name in PARTS}
    return Subjects(DEMO_STORE, table, parts, ("colour", "pattern", "shape", "category", "material", "style"))
