"""Active learning (主动学习): is it better to judge the queries with the highest uncertainty, or random ones?

The model is a Bayesian linear regression of the grade on features of a pair by a frozen encoder: the products
of the two unit vectors' dimensions, their cosine, and BM25's score. Its predictive variance xᵀ A⁻¹ x has a
closed form and changes with every judged query, so that selection and learning are fast. Uncertainty of a
query: the mean variance of its pairs (Settles 2009, §3.6, first term of variance reduction). Both strategies
pay for the same number of *judged pairs*.

P: pairs. F: features.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError
from recsys.search.graded import Graded, load_graded
from recsys.search.lexical import LexicalIndex
from recsys.search.studies.study import Study, StudySettings, study

BUDGETS = (100, 200, 400, 800, 1600)  # judged pairs
FIRST = 5  # queries judged at random at the start, the same ones for both strategies
NOISE, PRIOR = 1.0, 1.0  # variance of a grade, and of a weight
# of the products' block against cosine and BM25: of 1, .3, .1, .03, 0 the best on validation (Crowdflower)
PRODUCTS = 0.1


def active_learning(settings: StudySettings) -> Study:
    """NDCG@10 on test after each budget, with queries chosen by uncertainty or at random, `repeats` times.

    Lists: `active:difference`, uncertainty minus random, mean over the affordable budgets and over repeats.
    """
    data = load_graded(settings.dataset, settings.fold, settings.salt)
    if not len(data.parts["train"]):
        raise SearchError(f"{data.name} has no part to choose queries from: take another data set")
    features = pair_features(data, settings.backbone)
    train, test = data.part("train"), data.part("test")
    budgets = [budget for budget in BUDGETS if budget <= len(train)]
    x, tested = features[data.parts["train"]], features[data.parts["test"]]
    y, rows = train["grade"].to_numpy(float), list(train.groupby("list").indices.values())
    found: dict[str, list[pd.DataFrame]] = {"random": [], "uncertainty": []}
    for repeat in range(settings.repeats):
        for way, tables in found.items():
            rng = np.random.default_rng([settings.seed, repeat])  # the same first queries for both strategies
            order = choose(x, rows, budgets[-1], way == "uncertainty", rng)
            curve = {}
            for budget in budgets:
                weights = fit(x[order[:budget]], y[order[:budget]])
                keys, grades = test["list"].to_numpy(), test["grade"].to_numpy()
                curve[budget] = judged_ndcg(keys, grades, tested @ weights, 10, data.lowest).per_list
            tables.append(pd.DataFrame(curve))
    means = {way: sum(tables) / len(tables) for way, tables in found.items()}
    lists = pd.DataFrame({"active:difference": (means["uncertainty"] - means["random"]).mean(axis=1)})
    table = pd.DataFrame({way: frame.mean() for way, frame in means.items()}).rename_axis("judged_pairs")
    spread = np.std(
        [(a - b).mean().mean() for a, b in zip(found["uncertainty"], found["random"], strict=True)]
    )
    return study(lists, table.reset_index(), repeat_spread=float(spread))


def pair_features(data: Graded, backbone: str) -> np.ndarray:
    """[P, F] features of every pair, standardised by the train part; the last is a constant 1."""
    table, network = data.table, load_backbone(backbone)
    query = embed_texts(network, table["query"].tolist(), max_tokens=QUERY_TOKENS)
    title = embed_texts(network, table["title"].tolist(), max_tokens=TITLE_TOKENS)
    product = (query * title).astype(np.float64)
    texts, rows = np.unique(table["title"].to_numpy(object), return_inverse=True)
    bm25 = LexicalIndex(list(texts)).pair_scores(table["query"].tolist(), rows)
    train = data.parts["train"]
    found = []
    cosine = product.sum(axis=1, keepdims=True)
    for block, size in ((product, PRODUCTS), (cosine, 1.0), (np.log1p(bm25)[:, None], 1.0)):
        scaled = (block - block[train].mean(axis=0)) / block[train].std(axis=0).clip(1e-9)
        found.append(size * scaled / np.sqrt(block.shape[1]))
    return np.hstack([*found, np.ones((len(table), 1))])


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[F] posterior mean of the weights; the constant's prior mean is the mean grade."""
    centre = np.zeros(x.shape[1])
    centre[-1] = y.mean()
    precision = x.T @ x / NOISE + np.eye(x.shape[1]) / PRIOR
    return centre + np.linalg.solve(precision, x.T @ (y - x @ centre) / NOISE)


def choose(
    x: np.ndarray, queries: list[np.ndarray], budget: int, by_variance: bool, rng: np.random.Generator
) -> np.ndarray:
    """Rows in the order in which they are judged, query by query, `budget` rows in all.

    Args:
        x: [P, F]. queries: rows of each query.
        by_variance: after the first queries take the one with the largest mean predictive variance; otherwise
            the next in random order.

    Raises:
        SearchError: fewer rows than the budget.
    """
    if sum(map(len, queries)) < budget:
        raise SearchError(f"{sum(map(len, queries))} pairs cannot pay a budget of {budget}")
    waiting = [queries[i] for i in rng.permutation(len(queries))]
    covariance = np.eye(x.shape[1]) * PRIOR
    taken: list[np.ndarray] = []
    while sum(map(len, taken)) < budget:
        place = 0
        if by_variance and len(taken) >= FIRST:
            rest = np.concatenate(waiting)
            variance = np.einsum("pf,pf->p", x[rest] @ covariance, x[rest])
            owner = np.repeat(np.arange(len(waiting)), [len(one) for one in waiting])
            place = int(np.argmax(np.bincount(owner, variance) / np.bincount(owner)))
        rows = waiting.pop(place)
        taken.append(rows)
        if by_variance:  # Woodbury: as if these rows were judged
            across = x[rows] @ covariance
            inner = across @ x[rows].T + NOISE * np.eye(len(rows))
            covariance = covariance - across.T @ np.linalg.solve(inner, across)
    return np.concatenate(taken)[:budget]
