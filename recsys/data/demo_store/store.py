"""Builds the demo store: the public tables on one side, the ground truth on the other."""

from dataclasses import dataclass

import numpy as np

from recsys.data.demo_store.catalogue import Catalogue, build_catalogue, items_table
from recsys.data.demo_store.clicks import examination, search_and_click
from recsys.data.demo_store.constants import AFFINITY_SHARES, LATENT_SIZES
from recsys.data.demo_store.event_log import Log, build_log
from recsys.data.demo_store.intents import build_steps
from recsys.data.demo_store.judgements import judge
from recsys.data.demo_store.preferences import Preferences, build_preferences
from recsys.data.demo_store.queries import Queries, build_queries
from recsys.data.demo_store.shoppers import Shoppers, build_sessions, build_shoppers, users_table
from recsys.data.demo_store.texts import product_texts, source_codes
from recsys.data.demo_store.truth import Truth
from recsys.data.tables import Dataset


@dataclass(frozen=True)
class _World:
    catalogue: Catalogue
    shoppers: Shoppers
    preferences: Preferences
    queries: Queries
    log: Log


def _simulate(seed: int, size: str) -> _World:
    catalogue, shoppers = build_catalogue(seed, size), build_shoppers(seed, size)
    preferences = build_preferences(catalogue, shoppers)
    sessions = build_sessions(seed, size, shoppers)
    steps = build_steps(seed, size, sessions, preferences, catalogue)
    queries = build_queries(seed, size, catalogue, steps.leaf[steps.searches()])
    clicks = search_and_click(seed, size, catalogue, preferences, queries, sessions, steps)
    log = build_log(seed, size, catalogue, preferences, queries, sessions, steps, clicks)
    return _World(catalogue, shoppers, preferences, queries, log)


def load(seed: int = 0, size: str = "full") -> Dataset:
    """The demo store as checked tables, the same bit for bit for a seed and a size.

    items: item, source_id, title, description, category ("Home > Seating > Sofas"), brand, material, style,
    use, price, launched. users: user, source_id, age_band, household, region, joined (NaT = before the year).
    judgements: query, item, grade 0..3.

    events: user, item (-1 for a search, which is about no single product), kind, order, time, session, and
        query: words of the search; on views, and on the clicks, carts and purchases that came from a result
            list (None = came by browsing);
        position: place on the result list, from 0, on the same rows but the search;
        propensity: probability that the logging policy showed this product at this position, on the same
            rows;
        price: paid, on purchases;
        rating (1..5), review, review_time: on rated purchases. A rating is known only from review_time on,
            days after the purchase: using it earlier is a leak.
    A view is one product shown on a result list. Browsing clicks have no view, so clicks per view must be
    counted over rows with a position.

    Args:
        seed: >= 0.
        size: "full" (2,000 users and products) or "small" (200 of each; for tests and smoke runs).

    Raises:
        ValueError: unknown size or negative seed.

    Example:
        >>> shop = load(seed=0, size="small")
        >>> shop.n_users, shop.n_items
        (200, 200)
    """
    world = _simulate(seed, size)
    catalogue = world.catalogue
    titles, descriptions = product_texts(seed, size, catalogue)
    codes = source_codes(seed, size, catalogue.n_items)
    texts = [f"{title} {description}" for title, description in zip(titles, descriptions, strict=True)]
    return Dataset(
        name="demo_store",
        items=items_table(catalogue, titles, descriptions, codes),
        users=users_table(world.shoppers),
        events=world.log.events,
        judgements=judge(seed, size, catalogue, world.queries, texts),
        cleaning={},
    )


def load_truth(seed: int = 0, size: str = "full") -> Truth:
    """The ground truth behind `load(seed, size)`: to judge models with, never to fit them."""
    world = _simulate(seed, size)
    shoppers, catalogue = world.shoppers, world.catalogue

    def beside(parts: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([parts[name] for name in LATENT_SIZES], axis=1)

    scale = {name: np.sqrt(AFFINITY_SHARES[name] / width) for name, width in LATENT_SIZES.items()}

    return Truth(
        user_taste_start=beside(shoppers.taste_start),
        user_taste_end=beside(shoppers.taste_end),
        item_latent=beside({name: scale[name] * part for name, part in catalogue.latent.items()}),
        item_quality=catalogue.quality,
        item_popularity=catalogue.popularity,
        appearance=catalogue.appearance.names(),
        price_sensitivity=shoppers.price_sensitivity,
        examination=examination(),
        next_step=world.log.next_step,
        queries=world.queries.table(catalogue),
        _preferences=world.preferences,
        _catalogue=catalogue,
        _queries=world.queries,
    )
