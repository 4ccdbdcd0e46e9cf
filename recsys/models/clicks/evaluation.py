"""Evaluation of a click model: on held-out clicks, on training clicks, and the difference.

N: users. M: items. B: users in a batch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from recsys.metrics.ranking import earlier_events, evaluate, new_targets, ranking_metrics, score_batches
from recsys.models.clicks.data import ClickData
from recsys.models.clicks.model import ClickModel

CUTOFFS = (5, 10, 20)


def evaluate_model(
    model: ClickModel, data: ClickData, part: str = "test"
) -> tuple[dict[str, float], pd.DataFrame]:
    """All metrics of notebook 01.

    train_nats and held_out_nats are mean negative log-likelihoods a click, in nats: −log of the softmax
    exp(s_ui) / Σ_j exp(s_uj), with j over i and the items that the user has not clicked before. So
    training and held-out clicks are compared in the same way, whatever loss the scores were trained with. A
    uniform guess gives about ln M.

    Args:
        part: "validation" or "test".

    Returns:
        Metrics: hr@k, recall@k, ndcg@k (k of `CUTOFFS`), mrr, map; `train_nats`, `held_out_nats` (of `part`)
        and their difference `overfit_gap`; `clicked_probability` and `other_probability`, the means of
        f_ui = σ(s_ui) over the training clicks and over all other pairs. And the positions behind the
        ranking metrics.
    """
    positions = evaluate(model, data.split, part)
    metrics, _ = ranking_metrics(positions, CUTOFFS)
    metrics |= _training_fit(model, data)
    metrics["held_out_nats"] = _held_out_nats(model, data, part)
    metrics["overfit_gap"] = metrics["held_out_nats"] - metrics["train_nats"]
    return metrics, positions


def _training_fit(model: ClickModel, data: ClickData) -> dict[str, float]:
    """train_nats, clicked_probability, other_probability."""
    pairs = earlier_events(data.split, "validation")
    nats = clicked = everything = 0.0
    for users, masked in score_batches(model, np.arange(data.n_users), pairs):
        scores, masked = torch.from_numpy(model.score(users)), torch.from_numpy(masked)
        seen = masked.isneginf()
        others = masked.logsumexp(1, keepdim=True).expand_as(scores)[seen]  # over unclicked items
        own = scores[seen]
        nats += (torch.logaddexp(others, own) - own).sum(dtype=torch.float64).item()
        clicked += own.sigmoid().sum(dtype=torch.float64).item()
        everything += scores.sigmoid_().sum(1).sum(dtype=torch.float64).item()
    other_pairs = data.n_users * data.n_items - len(pairs)
    return {
        "train_nats": nats / len(pairs),
        "clicked_probability": clicked / len(pairs),
        "other_probability": (everything - clicked) / other_pairs,
    }


def _held_out_nats(model: ClickModel, data: ClickData, part: str) -> float:
    """Mean negative log-likelihood, in nats, of the clicks of `part` that are new to their user."""
    targets = new_targets(data.split, part)
    known = earlier_events(data.split, part)
    total = 0.0
    for users, masked in score_batches(model, targets["user"].unique(), known):
        here = targets[targets["user"].isin(users)]
        rows = np.searchsorted(users, here["user"])
        normaliser = torch.from_numpy(masked).logsumexp(1).numpy()
        total += (normaliser[rows] - masked[rows, here["item"]]).sum(dtype=np.float64)
    return float(total / len(targets))
