"""Pools whose best fusion is known: two scorers with independent noise, one of pure noise."""

import numpy as np
import pandas as pd

from recsys.ensembling.candidate_lists import CandidateLists, union

USERS, ITEMS = 400, 60


def planted(seed=0, noises=(1.2, 1.2, 50.0), users=USERS, per_user=1):
    """Pool of scorers = truth + noise, and targets = the truth's best items."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(users, ITEMS))
    best = np.argsort(-truth, axis=1)[:, :per_user]
    targets = pd.DataFrame({"user": np.repeat(np.arange(users), per_user), "item": best.ravel()})
    lists = [
        _lists(f"noise {i}", truth + noise * rng.normal(size=truth.shape)) for i, noise in enumerate(noises)
    ]
    return union(lists), targets


def _lists(name, scores, top=30):
    ids = np.argsort(-scores, axis=1)[:, :top].astype(np.int32)
    kept = np.take_along_axis(scores, ids, axis=1).astype(np.float32)
    moments = scores.mean(axis=1).astype("f4"), scores.std(axis=1).astype("f4")
    return CandidateLists(name, np.arange(len(scores)), ids, kept, *moments, scores.shape[1])
