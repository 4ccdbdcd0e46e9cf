"""A task of labelled texts, ready to be learnt and judged: intents, sentiments, relevance to a query.

N: texts of a part. C: outputs of a model, one per class; 1 where the label is a grade.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.splits import by_salt, evenly
from recsys.metrics.classification import binary_metrics, multiclass_metrics
from recsys.metrics.judged_lists import judged_ndcg

# what validation chooses by, and the tables lead with; higher is better
PRIMARY = {"classes": "accuracy", "binary": "auc", "grade": "ndcg@10"}
MAX_TOKENS = {"womens_clothing": 128, "chinese_reviews": 128}
DEFAULT_TOKENS = 64


@dataclass(frozen=True)
class Part:
    """texts: N strings. labels: [N], codes (int64) or grades (float64). pairs: N second texts, where the
    label relates two, else None. lists: [N], the query of each row, or None where rows stand alone."""

    texts: list[str]
    labels: np.ndarray
    pairs: list[str] | None
    lists: np.ndarray | None

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class LabelledTask:
    """name: of the data set. labels: names of the classes, empty for a grade. max_tokens: read of a text."""

    name: str
    labels: list[str]
    max_tokens: int
    train: Part
    validation: Part
    test: Part

    @property
    def kind(self) -> str:
        """ "grade", "binary" or "classes"."""
        return "grade" if not self.labels else "binary" if len(self.labels) == 2 else "classes"

    @property
    def paired(self) -> bool:
        """Whether a label relates two texts."""
        return self.train.pairs is not None

    @property
    def outputs(self) -> int:
        """C."""
        return max(1, len(self.labels))

    @property
    def primary(self) -> str:
        return PRIMARY[self.kind]


def load_task(name: str, train_share: float = 1.0, judged: int = 0, tested: int = 0) -> LabelledTask:
    """A labelled data set in its parts, cut by a salted hash (`recsys.data.labelled.dataset.labelled_split`).

    Args:
        train_share: share of the training rows that are learnt from, in (0, 1]; whole queries
            where the label is a grade. A smaller share is part of a larger one, whatever the seed.
        judged, tested: rows (queries, where the label is a grade) of validation and of test that are kept,
            spread evenly; 0 keeps all.

    Raises:
        ValueError: the share is out of range or leaves nothing; see `load_labelled` too.
    """
    if not 0 < train_share <= 1:
        raise ValueError(f"train_share must be in (0, 1], got {train_share}")
    data = load_labelled(name)
    rows = labelled_split(data)
    keys = data.group if data.graded else pd.Series(np.arange(len(data)))
    if train_share < 1:
        learnt = by_salt(keys, "train_share", {"kept": train_share, "rest": 1 - train_share}) == "kept"
        rows["train"] = rows["train"][learnt[rows["train"]]]
    if not len(rows["train"]):
        raise ValueError(f"train_share={train_share} leaves no row of {name}")
    for part, most in (("validation", judged), ("test", tested)):
        there = keys.iloc[rows[part]]
        rows[part] = rows[part][there.isin(evenly(there, most))] if most else rows[part]
    made = {}
    for part, chosen in rows.items():
        table = data.table.iloc[chosen]
        pairs = table["text_pair"].tolist() if "text_pair" in table else None
        lists = keys.to_numpy()[chosen] if data.graded else None
        made[part] = Part(table["text"].tolist(), table["label"].to_numpy(), pairs, lists)
    return LabelledTask(name, data.labels, MAX_TOKENS.get(name, DEFAULT_TOKENS), **made)


def judge(task: LabelledTask, part: Part, outputs: np.ndarray) -> dict[str, float]:
    """Metrics of a model's outputs on a part.

    Args:
        outputs: [N, C] logits, or [N, 1] grades.

    Returns:
        Two classes: those of `binary_metrics` and f1_macro. More: those of `multiclass_metrics`. A grade:
        rmse, ndcg@10 with exponential gain over the queries whose grades differ, and ndcg@10_random, what a
        random order scores there.
    """
    if task.kind == "grade":
        scores = outputs[:, 0].astype(float)
        found = judged_ndcg(part.lists, part.labels, scores)
        error = float(np.sqrt(np.mean((scores - part.labels) ** 2)))
        return {"rmse": error, "ndcg@10": found.mean, "ndcg@10_random": found.random_mean}
    likely = softmax(outputs.astype(float), axis=1)
    many = multiclass_metrics(part.labels, likely)
    if task.kind == "classes":
        return many
    return binary_metrics(part.labels, likely[:, 1]) | {"f1_macro": many["f1"]}


def positions(task: LabelledTask, part: Part, outputs: np.ndarray) -> pd.DataFrame | None:
    """The place of the right class among all, a row a text, in the form of `recsys.metrics.ranking`.

    user is the row's number, item the class; hr@1 is accuracy, text by text. None for a grade.
    """
    if task.kind == "grade":
        return None
    rows = np.arange(len(part))
    right = outputs[rows, part.labels][:, None]
    return pd.DataFrame(
        {
            "user": rows,
            "item": part.labels,
            "better": (outputs > right).sum(axis=1).astype(np.int32),
            "equal": ((outputs == right).sum(axis=1) - 1).astype(np.int32),
        }
    )
