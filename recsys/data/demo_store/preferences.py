"""Utility of a product to a user at a time, and the choices that follow from it."""

from dataclasses import dataclass

import numpy as np

from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import (
    AFFINITY_SHARES,
    CATEGORY_SCALE,
    CHOICE_SCALE,
    LATENT_SIZES,
    PRICE_WEIGHT,
    QUALITY_WEIGHT,
    SEASON_AMPLITUDE,
)
from recsys.data.demo_store.shoppers import Shoppers

CALIBRATION_STEPS = 6  # of the contraction mapping; the error of a product's share is then below 1 %


@dataclass(frozen=True)
class Preferences:
    """All utilities and weights that choices are drawn by. N users, M products, L categories.

    Attributes:
        start, end: [N, M] affinity (taste . latent, variance about 1) on the first and the last day.
        leaf_start, leaf_end: [N, L] contribution of taste to the log weight of each category.
        fixed: [N, M] price term + quality, the same all year.
        constants: [M] product constants that make the mean choice follow the popularity shares.
        leaf_popularity: [L] log share of demand.
        season: [L, 2] cosine and sine weight of the category's season.
    """

    start: np.ndarray
    end: np.ndarray
    leaf_start: np.ndarray
    leaf_end: np.ndarray
    fixed: np.ndarray
    constants: np.ndarray
    leaf_popularity: np.ndarray
    season: np.ndarray

    def affinity(self, users: np.ndarray, items: np.ndarray, when: np.ndarray) -> np.ndarray:
        """taste . latent at `when` (part of the year in [0, 1)); the three arguments broadcast."""
        return (1 - when) * self.start[users, items] + when * self.end[users, items]

    def utility(self, users: np.ndarray, items: np.ndarray, when: np.ndarray) -> np.ndarray:
        """Affinity + price term + quality, without noise; the arguments broadcast."""
        return self.affinity(users, items, when) + self.fixed[users, items]

    def leaf_weights(self, users: np.ndarray, when: np.ndarray) -> np.ndarray:
        """[n, L] unnormalised weights with which users pick a category at `when` ([n] each)."""
        part = when[:, None]
        taste = (1 - part) * self.leaf_start[users] + part * self.leaf_end[users]
        angle = 2 * np.pi * part
        season = 1 + self.season[:, 0] * np.cos(angle) + self.season[:, 1] * np.sin(angle)
        return np.exp(self.leaf_popularity + taste) * season


def build_preferences(catalogue: Catalogue, shoppers: Shoppers) -> Preferences:
    """Compute the matrices; nothing random is drawn here.

    Taste is interpolated linearly between the first and the last day. `numpy.einsum` is used instead of a
    matrix product because BLAS results may depend on the number of threads.
    """
    start, end = (_affinity(taste, catalogue.latent) for taste in (shoppers.taste_start, shoppers.taste_end))
    leaf_scale = CATEGORY_SCALE / np.sqrt(LATENT_SIZES["text"])
    leaf_start, leaf_end = (
        leaf_scale * np.einsum("nd,ld->nl", taste["text"], catalogue.leaf_latent)
        for taste in (shoppers.taste_start, shoppers.taste_end)
    )
    price = shoppers.price_sensitivity[:, None] * catalogue.price_deviation[None, :]
    fixed = QUALITY_WEIGHT * catalogue.quality[None, :] - PRICE_WEIGHT * price
    peak = np.array([leaf.peak_month for leaf in catalogue.leaves])
    angle = 2 * np.pi * (peak - 0.5) / 12
    season = SEASON_AMPLITUDE * (peak > 0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    leaf_share = np.bincount(catalogue.leaf, catalogue.popularity)
    return Preferences(
        start=start,
        end=end,
        leaf_start=leaf_start,
        leaf_end=leaf_end,
        fixed=fixed,
        constants=_product_constants(catalogue, (start + end) / 2 + fixed),
        leaf_popularity=_leaf_constants(leaf_share, (leaf_start + leaf_end) / 2),
        season=season,
    )


def _affinity(taste: dict[str, np.ndarray], latent: dict[str, np.ndarray]) -> np.ndarray:
    parts = (
        np.sqrt(AFFINITY_SHARES[name] / width) * np.einsum("nd,md->nm", taste[name], latent[name])
        for name, width in LATENT_SIZES.items()
    )
    return sum(parts)


def _leaf_constants(share: np.ndarray, taste: np.ndarray) -> np.ndarray:
    """[L] log weights for which users pick categories in `share` on average (no season)."""
    constants = np.log(share)
    for _ in range(CALIBRATION_STEPS):
        weight = np.exp(constants + taste)
        predicted = (weight / weight.sum(axis=1, keepdims=True)).mean(axis=0)
        constants = constants + np.log(share) - np.log(predicted)
    return constants


def _product_constants(catalogue: Catalogue, utility: np.ndarray) -> np.ndarray:
    """[M] constants for which products are chosen in their popularity shares within each category.

    The contraction mapping of Berry, Levinsohn & Pakes 1995: add log(wanted share) - log(predicted share).
    """
    order = np.argsort(catalogue.leaf, kind="stable")
    starts = np.searchsorted(catalogue.leaf[order], np.arange(len(catalogue.leaves)))
    counts = np.diff(np.append(starts, len(order)))
    wanted = catalogue.popularity[order]
    wanted = wanted / np.repeat(np.add.reduceat(wanted, starts), counts)
    appeal = np.exp(CHOICE_SCALE * utility[:, order])  # [N, M]
    weight = wanted.copy()
    for _ in range(CALIBRATION_STEPS):
        chosen = appeal * weight
        total = np.add.reduceat(chosen, starts, axis=1)
        predicted = (chosen / np.repeat(total, counts, axis=1)).mean(axis=0)
        weight = weight * wanted / predicted
    constants = np.empty(len(order))
    constants[order] = np.log(weight)
    return constants


def pick(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """[n] column drawn from each row of `weights` ([n, k], >= 0, row sums > 0); uniform: [n] in [0, 1)."""
    cumulative = np.cumsum(weights, axis=1)
    return (cumulative <= (uniform * cumulative[:, -1])[:, None]).sum(axis=1)


def pick_items(
    preferences: Preferences,
    catalogue: Catalogue,
    users: np.ndarray,
    leaves: np.ndarray,
    seconds: np.ndarray,
    part_of_year: np.ndarray,
    uniform: np.ndarray,
) -> np.ndarray:
    """[n] product that each user picks inside a category, among those on sale at that second."""
    table = catalogue.members()
    candidates = table[leaves]
    on_sale = (candidates >= 0) & (catalogue.launch[candidates] <= seconds[:, None])
    utility = preferences.utility(users[:, None], candidates, part_of_year[:, None])
    weights = np.where(on_sale, np.exp(preferences.constants[candidates] + CHOICE_SCALE * utility), 0.0)
    return candidates[np.arange(len(users)), pick(weights, uniform)]


def calibrated_logit(scores: np.ndarray, mean: float, transform=None) -> float:
    """The intercept c for which transform(sigmoid(c + scores)) has the mean `mean`.

    Args:
        scores: [n].
        mean: wanted mean, in (0, 1).
        transform: maps the [n] probabilities to the [n] expected outcomes; identity when None.
    """
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        expected = sigmoid(middle + scores)
        expected = expected if transform is None else transform(expected)
        low, high = (middle, high) if expected.sum() < mean * len(scores) else (low, middle)
    return (low + high) / 2


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))
