"""Features of a global demand model on a forecast's Monday: past sales, calendar, text.

One model learns from all products at once, so everything about a product is divided by its own recent level
(`scale`): a product of ten pieces a week and one of a thousand give samples of one size. Only weeks before
the origin are read; a test changes the later ones and sees no difference.

P: products. F: features. D: numbers of a text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.demand.weekly import WeeklyDemand
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts

RECENT = 12  # weeks that a product's level is the mean of; one without a sale in them is asleep
LAGS = 8
YEAR = 52
NEIGHBOURS = 20
TEXT_NUMBERS = 16  # principal components of the titles' vectors
TITLE_TOKENS = 32


@dataclass(frozen=True)
class TitleVectors:
    """components: [P, D] of the titles' vectors. neighbours: [P, k] the products of the nearest titles."""

    components: np.ndarray
    neighbours: np.ndarray


def title_vectors(titles: list[str], backbone: str = "minilm") -> TitleVectors:
    """Titles through a pretrained encoder: their main directions, and who is like whom."""
    vectors = embed_texts(load_backbone(backbone), titles, max_tokens=TITLE_TOKENS)
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    components = centred @ directions[:TEXT_NUMBERS].T
    components /= max(float(components.std()), 1e-9)
    cosine = vectors @ vectors.T
    np.fill_diagonal(cosine, -2.0)
    count = min(NEIGHBOURS, len(titles) - 1)
    return TitleVectors(components.astype(np.float32), np.argsort(-cosine, axis=1, kind="stable")[:, :count])


@dataclass(frozen=True)
class Knowledge:
    """active: [P] products that have sold lately. scale: [P] pieces a week, > 0 where active.
    features: [P, F] float32."""

    active: np.ndarray
    scale: np.ndarray
    features: np.ndarray


def known_at(demand: WeeklyDemand, origin: int, horizon: int, text: TitleVectors | None = None) -> Knowledge:
    """Everything known when week `origin` begins, for a forecast of the `horizon` weeks from it.

    Args:
        origin: ≥ 1; weeks 0 … origin − 1 are known.
        horizon: weeks whose sum is asked for, ≥ 1; of them only the calendar is known.
        text: adds the title's components and what products of like titles did lately; None leaves words out.
    """
    past = demand.sales[:, :origin]
    sold = past > 0
    age = np.where(sold.any(axis=1), origin - sold.argmax(axis=1), 0)
    recent = past[:, -RECENT:].sum(axis=1)
    active = recent > 0
    scale = np.where(active, recent / np.clip(age, 1, RECENT), 1.0)
    columns = [_own_history(past, age, scale), _last_year(demand, origin, horizon, scale)]
    columns.append(np.broadcast_to(_calendar(demand, origin, horizon), (len(past), 7)))
    if text is not None:
        columns += [text.components, _neighbours(past, age, scale, text.neighbours)]
    return Knowledge(active, scale, np.concatenate(columns, axis=1).astype(np.float32))


def _own_history(past: np.ndarray, age: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """[P, LAGS + 7] lags and means over the product's level, how intermittent, how old, how large."""
    padded = np.pad(past, ((0, 0), (max(0, RECENT - past.shape[1]), 0)))
    lags = np.log1p(padded[:, -LAGS:] / scale[:, None])
    means = [np.log1p(padded[:, -weeks:].mean(axis=1) / scale) for weeks in (2, 4)]
    silent = np.where(past.any(axis=1), (past[:, ::-1] > 0).argmax(axis=1), past.shape[1])
    zeros = (padded[:, -RECENT:] == 0).mean(axis=1)
    largest = np.log1p(padded[:, -RECENT:].max(axis=1) / scale)
    rest = [zeros, largest, np.log1p(silent), np.log1p(age), np.log(scale)]
    return np.column_stack([lags, *means, *rest])


def _last_year(demand: WeeklyDemand, origin: int, horizon: int, scale: np.ndarray) -> np.ndarray:
    """[P, 3] the same weeks a year ago, of the product and of the shop, and whether there was a year."""
    start = origin - YEAR
    if start < RECENT:
        return np.zeros((len(scale), 3))
    own = np.log1p(demand.sales[:, start : start + horizon].mean(axis=1) / scale)
    shop = demand.sales.sum(axis=0)
    before = shop[start - RECENT : start].mean()
    rise = np.log((shop[start : start + horizon].mean() + 1) / (before + 1))
    return np.column_stack([own, np.full(len(scale), rise), np.ones(len(scale))])


def _calendar(demand: WeeklyDemand, origin: int, horizon: int) -> np.ndarray:
    """[7] season in two waves, weeks until Christmas, holidays asked for, how the shop moved lately."""
    monday = demand.weeks[0] + pd.Timedelta(days=7 * origin)
    angle = 2 * np.pi * monday.dayofyear / 365.25
    until = (pd.Timestamp(monday.year, 12, 25) - monday).days / 7
    holidays = demand.holiday[origin : origin + horizon].mean() if origin < demand.n_weeks else 0.0
    shop = demand.sales[:, max(0, origin - RECENT) : origin].sum(axis=0)
    moved = np.log((shop[-2:].mean() + 1) / (shop.mean() + 1))
    waves = [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
    return np.array([*waves, np.clip(until, -1, 16) / 16, holidays, moved])


def _neighbours(past: np.ndarray, age: np.ndarray, scale: np.ndarray, near: np.ndarray) -> np.ndarray:
    """[P, 3] products of like titles: how they moved lately, their level, the share that sells at all."""
    level = past[:, -RECENT:].sum(axis=1) / np.clip(age, 1, RECENT)
    lately = past[:, -2:].mean(axis=1)
    moved = np.log((lately[near].sum(axis=1) + 1) / (level[near].sum(axis=1) + 1))
    return np.column_stack([moved, np.log1p(level[near].mean(axis=1)), (level[near] > 0).mean(axis=1)])
