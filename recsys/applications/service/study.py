"""A service's questions answered by one method, beside the trivial one, words, and the nearest question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from recsys.applications.classifiers import NEAREST, TRIVIAL, Learning, Solved, quality, solve
from recsys.applications.service.demo_questions import VALUES
from recsys.applications.service.masking import masking_table
from recsys.applications.service.tasks import ServiceTask, demo_questions
from recsys.data.labelled.dataset import load_labelled
from recsys.encoders.backbone import Backbone, load_backbone
from recsys.metrics.significance import mean_with_interval
from recsys.models.labelled.task import LabelledTask, positions

MARKED = "bitext_support"
PERSONAL = ("order_id", "invoice_id", "person_name", "order", "invoice", "email", "phone", "name")


@dataclass(frozen=True)
class Served:
    """solved: by the method asked for. metrics, positions: of it on the test part. table: a row a method,
    with the interval of its accuracy over questions."""

    solved: Solved
    metrics: dict[str, float]
    positions: pd.DataFrame
    table: pd.DataFrame


def serve(service: ServiceTask, how: Learning, others: bool = True) -> Served:
    """Learn the intents and judge them on the test part.

    Args:
        others: also the trivial method, words and the nearest question, as rows beside it.

    Raises:
        ValueError: of `solve`. BackboneError: no such encoder.
    """
    task, rows, solved = service.task, [], None
    beside = (TRIVIAL, "tfidf") if task.paired else (TRIVIAL, "tfidf", NEAREST)
    for method in dict.fromkeys((*(beside if others else ()), how.method)):
        chosen = how if method == how.method else Learning(method, backbone=how.backbone, seed=how.seed)
        made = solve(task, chosen)
        outputs = made.outputs(task.test)
        placed = positions(task, task.test, outputs)
        right = mean_with_interval((placed["better"] + placed["equal"] == 0).astype(float))
        judged = quality(task, outputs) | _present_f1(task, outputs)
        rows.append({"method": method} | judged | {"low": right.low, "high": right.high})
        if method == how.method:
            solved, found = made, (rows[-1], placed)
    told = {name: float(found[0][name]) for name in ("accuracy", "f1_macro", "auc")}
    metrics = {name: value for name, value in told.items() if np.isfinite(value)}
    return Served(solved, metrics, found[1], pd.DataFrame(rows))


def _present_f1(task: LabelledTask, outputs: np.ndarray) -> dict[str, float]:
    """f1_macro over the intents that the test part asks for: one held out can't be hit, and is no 0."""
    if task.kind != "classes":
        return {}
    labels = task.test.labels
    found = f1_score(
        labels, outputs.argmax(axis=1), labels=np.unique(labels), average="macro", zero_division=0
    )
    return {"f1_macro": float(found)}


def masked_shares(dataset: str) -> tuple[pd.DataFrame, dict[str, float]]:
    """What masking finds where the truth is known: Bitext's marked entities, else the demo shop's values.

    Returns:
        table of `masking_table` with a column personal; share_masked (of texts with personal data, those in
        which none is left) and share_changed_plain (of texts without any mark, those that were changed).
    """
    if dataset == MARKED:
        table = load_labelled(dataset).table
        texts, values, kinds = (table[name].tolist() for name in ("text", "value", "entity"))
    else:
        texts, values, kinds = _demo_marks()
    found = masking_table(texts, values, kinds)
    found["personal"] = found.index.isin(PERSONAL)
    own, plain = found[found["personal"]], found[found.index == ""]
    shares = {
        "share_masked": float(np.average(own["masked"], weights=own["texts"])),
        "share_changed_plain": float(plain["changed"].iloc[0]) if len(plain) else 0.0,
    }
    return found.reset_index(), shares


def _demo_marks() -> tuple[list[str], list[str], list[str]]:
    table = demo_questions()
    marks: list[tuple[str, str, str]] = []
    for row in table.to_dict("records"):
        own = [(row["text"], row[kind], kind) for kind in VALUES if row[kind]]
        marks += own or [(row["text"], "", "")]
    texts, values, kinds = (list(column) for column in zip(*marks, strict=True))
    return texts, values, kinds


def searching_encoder(served: Served, how: Learning) -> Backbone:
    """What looks for help pages: the tuned encoder, where the method has one, else the untuned one."""
    return served.solved.encoder or load_backbone(how.backbone)


def plain_metrics(*parts: Mapping[str, float]) -> dict[str, float]:
    """All metrics of a run in one mapping. Raises ValueError where two parts name the same."""
    found: dict[str, float] = {}
    for part in parts:
        if twice := set(found) & set(part):
            raise ValueError(f"metric {min(twice)} is given twice")
        found |= part
    return found
