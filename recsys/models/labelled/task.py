"""A supervised task on labelled texts (intents, sentiments, relevance): its parts and its metrics.

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

# primary metric by kind of task: validation chooses by it; higher is better
PRIMARY = {"classes": "accuracy", "binary": "auc", "grade": "ndcg@10"}
MAX_TOKENS = {"womens_clothing": 128, "chinese_reviews": 128}
DEFAULT_TOKENS = 64


@dataclass(frozen=True)
class Part:
    """One part (train, validation or test) of a task.

    Attributes:
        texts: N strings. labels: [N], codes (int64) or grades (float64).
        pairs: N second texts where a label belongs to a pair of texts, else None.
        lists: [N], the query of each row where rows form judged lists, else None.
    """

    texts: list[str]
    labels: np.ndarray
    pairs: list[str] | None
    lists: np.ndarray | None

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class LabelledTask:
    """A task and its parts.

    Attributes:
        name: of the data set. labels: names of the classes; empty for a grade.
        max_tokens: tokens read of each text. train, validation, test: the parts.
    """

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
        """Whether a label belongs to a pair of texts."""
        return self.train.pairs is not None

    @property
    def outputs(self) -> int:
        """C; for pairs of texts 1: a grade, or the logit of the second class."""
        return 1 if self.paired else max(1, len(self.labels))

    @property
    def primary(self) -> str:
        """Name of the primary metric, by which validation chooses; higher is better."""
        return PRIMARY[self.kind]


def load_task(name: str, train_share: float = 1.0, judged: int = 0, tested: int = 0) -> LabelledTask:
    """Load a labelled data set as a task, split by a salted hash (`labelled_split`).

    Args:
        name: of `recsys.data.labelled.dataset.load_labelled`.
        train_share: share of the training rows that are used, in (0, 1]; whole queries where the label is a
            grade. A smaller share is contained in a larger one.
        judged, tested: how many rows (queries, where the label is a grade) of validation and of test are
            kept, spread evenly; 0 keeps all.

    Raises:
        ValueError: the share is out of range or leaves nothing; see `load_labelled` too.

    Example:
        >>> task = load_task("banking77", train_share=0.1)
        >>> task.kind, task.outputs, task.primary
        ('classes', 77, 'accuracy')
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
        outputs: [N, C] logits, or [N, 1] grades or logits of the second class.

    Returns:
        Two classes: those of `binary_metrics` and f1_macro. More classes: those of `multiclass_metrics`. A
        grade: rmse, ndcg@10 with exponential gain over the queries whose grades differ, and ndcg@10_random,
        the expectation of a random order.
    """
    if task.kind == "grade":
        scores = outputs[:, 0].astype(float)
        found = judged_ndcg(part.lists, part.labels, scores)
        error = float(np.sqrt(np.mean((scores - part.labels) ** 2)))
        return {"rmse": error, "ndcg@10": found.mean, "ndcg@10_random": found.random_mean}
    likely = softmax(of_classes(outputs).astype(float), axis=1)
    many = multiclass_metrics(part.labels, likely)
    if task.kind == "classes":
        return many
    return binary_metrics(part.labels, likely[:, 1]) | {"f1_macro": many["f1"]}


def of_classes(outputs: np.ndarray) -> np.ndarray:
    """Logits of all classes: [N, C] unchanged; [N, 1] of the second of two classes -> [N, 2] (first is 0)."""
    return np.concatenate([np.zeros_like(outputs), outputs], axis=1) if outputs.shape[1] == 1 else outputs


def positions(task: LabelledTask, part: Part, outputs: np.ndarray) -> pd.DataFrame | None:
    """Rank of the true class among all classes for each text, in the form of `recsys.metrics.ranking`.

    user is the row number, item the class; hr@1 of a text says whether it is classified right. None for a
    grade.
    """
    if task.kind == "grade":
        return None
    rows, outputs = np.arange(len(part)), of_classes(outputs)
    right = outputs[rows, part.labels][:, None]
    return pd.DataFrame(
        {
            "user": rows,
            "item": part.labels,
            "better": (outputs > right).sum(axis=1).astype(np.int32),
            "equal": ((outputs == right).sum(axis=1) - 1).astype(np.int32),
        }
    )
