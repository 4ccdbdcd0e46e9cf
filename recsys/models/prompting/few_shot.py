"""Few-shot comparison: the same k labels a class for a prompted model, a linear probe and a tuned encoder.

The labels are drawn from the training part and nested: those of k = 2 are among those of k = 4. With k = 0 a
generative model classifies by label words alone, and an encoder by the cosine of a text with the class name.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.models.labelled.linear_probe import linear_probe
from recsys.models.labelled.task import LabelledTask, Part, judge


def budget(task: LabelledTask, shots: int, seed: int) -> LabelledTask:
    """The task with `shots` training labels a class, nested in the number of shots.

    Raises:
        ValueError: a task with a grade instead of classes; shots below 0; a class with fewer rows.
    """
    if shots < 0:
        raise ValueError(f"shots must be at least 0, got {shots}")
    if shots == 0:  # of whatever kind
        pairs = None if task.train.pairs is None else []
        return replace(task, train=Part([], task.train.labels[:0], pairs, None))
    if task.kind == "grade":
        raise ValueError(f"{task.name} has grades, not classes to draw labels from")
    order = np.random.default_rng(seed).permutation(len(task.train))
    codes = task.train.labels[order]
    rows = [order[codes == code][:shots] for code in range(len(task.labels))]
    if short := [task.labels[code] for code, found in enumerate(rows) if len(found) < shots]:
        raise ValueError(f"{task.name} has fewer than {shots} training rows of class {short[0]!r}")
    # classes alternate, so that no prompt ends with all examples of one class
    chosen = np.stack(rows, axis=1).ravel().astype(int)
    pairs = None if task.train.pairs is None else [task.train.pairs[row] for row in chosen]
    texts = [task.train.texts[row] for row in chosen]
    return replace(task, train=Part(texts, task.train.labels[chosen], pairs, None))


def fresh_part(part: Part, most: int, seed: int) -> Part:
    """Rows of a part for one seed: what trains nothing differs between seeds in nothing but what it is asked.

    Seeds take blocks of one fixed order that do not overlap, until the part is used up and it starts again;
    of a part with lists whole lists are taken.

    Args:
        most: rows, or lists; 0 keeps all.
    """
    keys = np.arange(len(part)) if part.lists is None else part.lists
    distinct = np.unique(keys)
    if not 0 < most < len(distinct):
        return part
    block = seed % (len(distinct) // most)
    order = np.random.default_rng(0).permutation(len(distinct))
    rows = np.flatnonzero(np.isin(keys, distinct[order[block * most : (block + 1) * most]]))
    pairs = None if part.pairs is None else [part.pairs[row] for row in rows]
    lists = None if part.lists is None else part.lists[rows]
    return Part([part.texts[row] for row in rows], part.labels[rows], pairs, lists)


def probed(backbone: Backbone, task: LabelledTask, part: Part, max_tokens: int = 64) -> dict[str, float]:
    """Metrics of a linear probe on frozen vectors; without labels, of the cosine with the class name.

    Raises:
        ValueError: a task on pairs of texts.
    """
    if task.paired:
        raise ValueError(f"{task.name} relates two texts: rank pairs by their cosine instead")
    read = {"max_tokens": max_tokens}
    vectors = embed_texts(backbone, part.texts, **read)
    if not len(task.train):
        names = embed_texts(backbone, [name.replace("_", " ") for name in task.labels], **read)
        return judge(task, part, 20 * vectors @ names.T)
    weight, bias = linear_probe(
        embed_texts(backbone, task.train.texts, **read), task.train.labels, task.outputs
    )
    return judge(task, part, vectors @ weight.T + bias)
