"""Questions of customers as tasks: intents in three parts, and what belongs to none of them.

C: intents.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from recsys.applications.service.demo_questions import OPENERS, OUTSIDE, VALUES, WORDINGS
from recsys.data.labelled import clinc_oos
from recsys.data.labelled.dataset import load_labelled
from recsys.data.splits import PARTS, normal_query
from recsys.models.labelled.task import DEFAULT_TOKENS, LabelledTask, Part, load_task
from recsys.models.prompting.few_shot import budget

DEMO = "demo_store"
WORDING_PARTS = ("train", "train", "train", "validation", "test")
OUTSIDE_SHARES = {"train": 0.25, "validation": 0.25, "test": 0.5}  # of the demo shop's questions out of scope
OWN_PARTS = ("clinc_oos", "bitext_support")  # sets that are divided by their source into three


@dataclass(frozen=True)
class ServiceTask:
    """task: intents of questions, those that are held out left out of all parts. outside: part -> questions
    that belong to no intent, [] where there are none.

    new: codes of the intents that are held out: no model is trained on them. answered, asked: the training
    and the test part with them: what a search looks in, and what it is asked.
    """

    task: LabelledTask
    outside: dict[str, list[str]]
    answered: Part
    asked: Part
    new: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def load_service(
    dataset: str, shots: int = 0, held_out: float = 0.0, judged: int = 0, tested: int = 0, seed: int = 0
) -> ServiceTask:
    """Questions with their intents.

    Args:
        dataset: "demo_store" (written for the kit), "clinc_oos", "bitext_support", "banking77", "atec" (do
            two questions ask the same?), "lcqmc" (learnt on atec, judged on lcqmc), or another labelled set.
        shots: labels of each class that are learnt from, drawn by the seed, nested; 0: all.
        held_out: share of the intents that no model is trained on, in [0, 1); the same for every seed.
        judged, tested: questions of validation and of test; 0: all.

    Raises:
        ValueError: a share out of range; intents held out of a task that has two classes or grades.
        RegistryError, DataUnavailable: of the loaders.

    Example:
        >>> load_service("demo_store").task.kind
        'classes'
    """
    if not 0 <= held_out < 1:
        raise ValueError(f"held_out must be in [0, 1), got {held_out}")
    task, outside = _loaded(dataset)
    task = replace(
        task, validation=evenly_chosen(task.validation, judged), test=evenly_chosen(task.test, tested)
    )
    if shots:
        task = budget(task, shots, seed)
    answered, asked, new = task.train, task.test, np.zeros(0, dtype=np.int64)
    if held_out:
        if task.kind != "classes":
            raise ValueError(f"{dataset} has no intents to hold out (held_out={held_out})")
        count = max(1, round(held_out * len(task.labels)))
        new = np.sort(np.random.default_rng(0).permutation(len(task.labels))[:count])
        kept = {name: without(getattr(task, name), new) for name in PARTS}
        task = replace(task, **kept)
    return ServiceTask(task, outside, answered, asked, new)


def without(part: Part, codes: np.ndarray) -> Part:
    """The rows of no such class."""
    return rows_of(part, np.flatnonzero(~np.isin(part.labels, codes)))


def rows_of(part: Part, rows: np.ndarray) -> Part:
    """Some rows of a part, in this order."""
    pairs = None if part.pairs is None else [part.pairs[row] for row in rows]
    lists = None if part.lists is None else part.lists[rows]
    return Part([part.texts[row] for row in rows], part.labels[rows], pairs, lists)


def evenly_chosen(part: Part, most: int) -> Part:
    """At most so many rows, spread evenly; 0: all."""
    if not most or most >= len(part):
        return part
    return rows_of(part, np.unique(np.linspace(0, len(part) - 1, most).round().astype(int)))


def _loaded(dataset: str) -> tuple[LabelledTask, dict[str, list[str]]]:
    none: dict[str, list[str]] = {part: [] for part in PARTS}
    if dataset == DEMO:
        return _demo()
    if dataset in OWN_PARTS:
        return _own_parts(dataset)
    if dataset == "lcqmc":  # its file is a test part alone
        learnt = load_task("atec")
        return replace(learnt, name=dataset, test=load_task_test(dataset)), none
    return load_task(dataset), none


def load_task_test(dataset: str) -> Part:
    """The rows of a set that has a test part only."""
    table = load_labelled(dataset).table
    return Part(table["text"].tolist(), table["label"].to_numpy(), table["text_pair"].tolist(), None)


def _own_parts(dataset: str) -> tuple[LabelledTask, dict[str, list[str]]]:
    """The source's division; a text that stands in several parts stays in the last of them only."""
    data = load_labelled(dataset)
    table = data.table.assign(key=normal_query(data.table["text"]))
    outside_code = data.labels.index(clinc_oos.OUTSIDE) if clinc_oos.OUTSIDE in data.labels else -1
    labels = [label for label in data.labels if label != clinc_oos.OUTSIDE]
    made, outside = {}, {}
    for number, part in enumerate(PARTS):
        later = table["key"][table["own_part"].isin(PARTS[number + 1 :])]
        rows = table[(table["own_part"] == part) & ~table["key"].isin(set(later))]
        inside = rows[rows["label"] != outside_code]
        outside[part] = rows["text"][rows["label"] == outside_code].tolist()
        made[part] = Part(inside["text"].tolist(), inside["label"].to_numpy(), None, None)
    return LabelledTask(dataset, labels, DEFAULT_TOKENS, **made), outside


def demo_questions() -> pd.DataFrame:
    """The demo shop's questions: text, intent, part, and for each kind of value the value in it, or ""."""
    rows = []
    for intent, wordings in WORDINGS.items():
        for wording, part in zip(wordings, WORDING_PARTS, strict=True):
            for number, opener in enumerate(OPENERS):
                filled = {kind: values[(number + len(rows)) % len(values)] for kind, values in VALUES.items()}
                used = {kind: value if f"{{{kind}}}" in wording else "" for kind, value in filled.items()}
                rows.append(
                    {"text": opener + wording.format(**filled), "intent": intent, "part": part} | used
                )
    return pd.DataFrame(rows)


def _demo() -> tuple[LabelledTask, dict[str, list[str]]]:
    table, labels = demo_questions(), sorted(WORDINGS)
    code = table["intent"].map({label: code for code, label in enumerate(labels)}).astype("int64")
    made = {
        part: Part(
            table["text"][table["part"] == part].tolist(), code[table["part"] == part].to_numpy(), None, None
        )
        for part in PARTS
    }
    ends = np.cumsum([round(OUTSIDE_SHARES[part] * len(OUTSIDE)) for part in PARTS])
    starts = [0, *ends[:-1]]
    outside = {part: list(OUTSIDE[a:b]) for part, a, b in zip(PARTS, starts, [*ends[:-1], None], strict=True)}
    return LabelledTask(DEMO, labels, DEFAULT_TOKENS, **made), outside
