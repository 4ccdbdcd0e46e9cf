"""The shop's search engine as logging policy: candidates, ranking, exploration and propensities."""

from dataclasses import dataclass

import numpy as np

from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import CANDIDATES, EXPLORATION_SHARE, LIST_LENGTH, RANKER_WEIGHTS
from recsys.data.demo_store.queries import Queries


@dataclass(frozen=True)
class Lists:
    """n result lists of K products. item, propensity: [n, K]; position p is column p.

    propensity: the probability that the logging policy shows this product at this position, given the search
    and the day, over both of its branches (production order or random order).
    """

    item: np.ndarray
    propensity: np.ndarray


def rank_candidates(
    catalogue: Catalogue,
    queries: Queries,
    of_search: np.ndarray,
    seconds: np.ndarray,
    clicks_so_far: np.ndarray,
) -> np.ndarray:
    """[n, CANDIDATES] products in the production order; ties by ascending item code.

    The engine searches the group of categories that the words point to. It knows the category if it
    understood the noun, matches a material, style or use only by the title's own word, and prefers
    much-clicked products.

    Args:
        catalogue, queries: of the store.
        of_search: [n] row of each search's query.
        seconds: [n] time of each search.
        clicks_so_far: [M] clicks on each product before this month.

    Raises:
        RuntimeError: a search has fewer products on sale than candidates are needed.
    """
    pool = catalogue.group_members()[queries.leaf[of_search] // 3]
    on_sale = (pool >= 0) & (catalogue.launch[pool] <= seconds[:, None])
    if (on_sale.sum(axis=1) < CANDIDATES).any():
        raise RuntimeError(
            f"A group of the demo store has fewer than {CANDIDATES} products on sale; use a larger size."
        )
    query = of_search[:, None]
    category = queries.understood[query] & (catalogue.leaf[pool] == queries.leaf[query])
    attribute = (
        (queries.modifier[query] > 0) & queries.title_modifier[query] & queries.wishes(catalogue, query, pool)
    )
    score = (
        RANKER_WEIGHTS["category"] * category
        + RANKER_WEIGHTS["attribute"] * attribute
        + RANKER_WEIGHTS["clicks"] * np.log1p(clicks_so_far)[pool]
    )
    # `pool` ascends within a row, so a stable sort breaks ties by item code.
    order = np.argsort(np.where(on_sale, -score, np.inf), axis=1, kind="stable")[:, :CANDIDATES]
    return np.take_along_axis(pool, order, axis=1)


def show(candidates: np.ndarray, random: np.random.Generator) -> Lists:
    """Show the first K in production order or, for a fixed share of searches, K in uniformly random order.

    Args:
        candidates: [n, C] in production order.
        random: generator of the policy's own draws.
    """
    n, width = candidates.shape
    explores = random.random(n) < EXPLORATION_SHARE
    shuffled = np.argsort(random.random((n, width)), axis=1)
    rank = np.where(explores[:, None], shuffled, np.arange(width))[:, :LIST_LENGTH]
    in_place = rank == np.arange(LIST_LENGTH)
    propensity = (1 - EXPLORATION_SHARE) * in_place + EXPLORATION_SHARE / width
    return Lists(np.take_along_axis(candidates, rank, axis=1), propensity)
