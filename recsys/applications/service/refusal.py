"""When to say "I can't answer that": familiarity, with a threshold at a stated rate of false refusals.

The threshold is a conformal one (Vovk et al. 2005): of n calibration questions that belong to an intent,
sorted by score, the ⌊a (n + 1)⌋-th lowest. A further question of their kind then falls below it with a
probability of at most a. Which score is taken is chosen by how many of the *validation* part's questions out
of scope it refuses; test is looked at once.

N: questions. C: intents. S: scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp, softmax
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys.applications.classifiers import Nearest, Solved
from recsys.applications.service.tasks import ServiceTask
from recsys.encoders.backbone import load_backbone
from recsys.models.labelled.task import Part

TOGETHER = "together"  # the logistic regression of all scores


@dataclass(frozen=True)
class Refusal:
    """chosen: name of the score. threshold: below it a question is refused. table: a row a score.

    metrics: of the chosen score on test: auc_outside, share_outside_refused, share_inside_refused, and
    share_answered_right: of the questions with an intent that are answered and answered right.
    """

    chosen: str
    threshold: float
    table: pd.DataFrame
    metrics: dict[str, float]


def conformal_threshold(scores: np.ndarray, rate: float) -> float:
    """The score below which at most a share `rate` of further questions like these falls.

    Args:
        scores: [N] of questions that belong to an intent; high is familiar.
        rate: in [0, 1).

    Returns:
        −inf where N is too small for the rate: nothing is refused then.

    Raises:
        ValueError: a rate out of range, a score that is not finite.

    Example:
        >>> conformal_threshold(np.arange(99.0), 0.05)
        4.0
    """
    if not 0 <= rate < 1:
        raise ValueError(f"the rate of false refusals must be in [0, 1), got {rate}")
    scores = np.sort(np.asarray(scores, dtype=float))
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    place = int(np.floor(rate * (len(scores) + 1) + 1e-9))
    return float(scores[place - 1]) if place else -np.inf


class Familiarity:
    """Scores of how well a question fits the intents that are known; high is familiar.

    Of a model's logits: the highest probability (Hendrycks and Gimpel 2017), their log-sum-exp ("energy",
    Liu et al. 2020), and the gap of the first two. Where there is an encoder: the cosine with the nearest
    answered question, by it and by the untuned one.
    """

    def __init__(self, solved: Solved, answered: Part):
        self.solved, classes = solved, len(solved.task.labels)
        self.searches: dict[str, Nearest] = {}
        if solved.encoder is not None:
            encoders = {"nearest": solved.encoder, "nearest untuned": load_backbone(solved.encoder.name)}
            self.searches = {
                name: Nearest(encoder, answered, classes, solved.task.max_tokens)
                for name, encoder in encoders.items()
            }

    def __call__(self, texts: list[str]) -> pd.DataFrame:
        """[N, S]."""
        part = Part(list(texts), np.zeros(len(texts), dtype=np.int64), None, None)
        logits = self.solved.outputs(part).astype(float)
        top = np.sort(logits, axis=1)
        found = {
            "highest probability": softmax(logits, axis=1).max(axis=1),
            "log-sum-exp": logsumexp(logits, axis=1),
            "gap": top[:, -1] - top[:, -2],
        }
        found |= {name: search.outputs(part).max(axis=1) for name, search in self.searches.items()}
        return pd.DataFrame(found)


def calibrate(solved: Solved, service: ServiceTask, rate: float = 0.05) -> Refusal:
    """Choose a score and its threshold on validation, then judge both on test.

    The logistic regression of all scores learns on half of the validation part's questions (and the training
    part's out of scope), so every threshold stands on the other half.

    Args:
        rate: of false refusals that is wanted, in [0, 1).

    Returns:
        An empty table and no metrics where the set has no questions out of scope: nothing is refused then.

    Raises:
        ValueError: a rate out of range.
    """
    if not all(service.outside.get(part) for part in ("train", "validation", "test")):
        return Refusal("", -np.inf, pd.DataFrame(), {})
    task, score = service.task, Familiarity(solved, service.task.train)
    inside = {part: score(getattr(task, part).texts) for part in ("validation", "test")}
    outside = {part: score(texts) for part, texts in service.outside.items()}
    first = np.arange(len(inside["validation"])) % 2 == 0
    weigh = _together(inside["validation"][first], outside["train"])
    for table in (*inside.values(), *outside.values()):
        table[TOGETHER] = weigh.decision_function(table)
    rows = []
    for name in outside["test"]:
        line = conformal_threshold(inside["validation"][name][~first].to_numpy(), rate)
        rows.append(
            {
                "score": name,
                "threshold": line,
                "refused of outside, validation": float((outside["validation"][name] < line).mean()),
                "refused of outside": float((outside["test"][name] < line).mean()),
                "refused of inside": float((inside["test"][name] < line).mean()),
                "auc": area(inside["test"][name], outside["test"][name]),
            }
        )
    table = pd.DataFrame(rows)
    best = table.loc[table["refused of outside, validation"].idxmax()]
    right = solved.outputs(task.test).argmax(axis=1) == task.test.labels
    answered = (inside["test"][best["score"]] >= best["threshold"]).to_numpy()
    metrics = {
        "auc_outside": float(best["auc"]),
        "share_outside_refused": float(best["refused of outside"]),
        "share_inside_refused": float(best["refused of inside"]),
        "share_answered_right": float((right & answered).mean()),
    }
    return Refusal(best["score"], float(best["threshold"]), table, metrics)


def area(inside: pd.Series, outside: pd.Series) -> float:
    """AUC: how often a question with an intent scores above one without, ties counted half."""
    ranks = rankdata(np.concatenate([inside, outside]))[: len(inside)]
    return float((ranks.sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside)))


def _together(inside: pd.DataFrame, outside: pd.DataFrame):
    scores = pd.concat([inside, outside])
    label = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    return model.fit(scores, label)
