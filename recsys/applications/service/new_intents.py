"""Intents that the model was never trained on: what a search of answered questions adds to a classifier.

The same encoder does both. The classifier knows the intents that it was trained on; the search looks through
all answered questions, also those of new intents, which were answered after training. The comparison is over
*all* test questions: what the search wins on new intents it must not lose on the old ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.classifiers import Nearest, Solved
from recsys.applications.service.tasks import ServiceTask
from recsys.encoders.embed import embed_texts
from recsys.models.labelled.linear_probe import linear_probe


@dataclass(frozen=True)
class NewIntents:
    """lists: a row a test question: "retrieval:difference" and "probe:difference", right by the search less
    right by the classifier, or by a linear model fitted anew. metrics, table: accuracies."""

    lists: pd.DataFrame
    metrics: dict[str, float]
    table: pd.DataFrame


def judge_new_intents(solved: Solved, service: ServiceTask) -> NewIntents:
    """Search against classifier, and beside them a linear model on the encoder's vectors of all answered
    questions.

    Returns:
        Tables without rows and no metrics where no intent is held out.

    Raises:
        ValueError: a method without an encoder.
    """
    if not len(service.new):
        return NewIntents(pd.DataFrame(), {}, pd.DataFrame())
    if solved.encoder is None:
        raise ValueError("words can't look for the nearest question: choose a method with an encoder")
    test, classes = service.asked, len(service.task.labels)
    search = Nearest(solved.encoder, service.answered, classes, service.task.max_tokens)
    # its own vectors are those of the answered questions in the order of their intents
    weight, bias = linear_probe(search.known, search.labels, classes)
    vectors = embed_texts(solved.encoder, test.texts, max_tokens=service.task.max_tokens)
    said = {
        "classifier": solved.outputs(test).argmax(axis=1),
        "search": search.outputs(test).argmax(axis=1),
        "linear model fitted anew": (vectors @ weight.T + bias).argmax(axis=1),
    }
    right = pd.DataFrame({name: (codes == test.labels).astype(float) for name, codes in said.items()})
    new = np.isin(test.labels, service.new)
    table = pd.DataFrame(
        {"all": right.mean(), "new intents": right[new].mean(), "old intents": right[~new].mean()}
    )
    lists = pd.DataFrame(
        {
            "list": np.arange(len(test)),
            "retrieval:difference": right["search"] - right["classifier"],
            "probe:difference": right["linear model fitted anew"] - right["classifier"],
        }
    )
    metrics = {
        "share_new_found": float(table.loc["search", "new intents"]),
        "share_old_found": float(table.loc["search", "old intents"]),
        "retrieval:difference": float(lists["retrieval:difference"].mean()),
    }
    return NewIntents(lists, metrics, table.rename_axis("answered by").reset_index())
