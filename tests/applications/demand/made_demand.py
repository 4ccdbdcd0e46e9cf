"""Weekly demand made by a seed: levels, a season, sales that come seldom, products that come late."""

import numpy as np
import pandas as pd

from recsys.applications.demand.weekly import WeeklyDemand


def made(products: int = 40, weeks: int = 60, seed: int = 0) -> WeeklyDemand:
    draw = np.random.default_rng(seed)
    level = np.exp(draw.normal(1.5, 1.0, products))
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(weeks) / 52)
    sales = draw.poisson(level[:, None] * season[None, :]).astype(float)
    sales[products // 2 :] *= draw.random((products - products // 2, weeks)) < 0.4
    late = draw.integers(0, weeks // 2, products)
    sales[np.arange(weeks)[None, :] < np.where(np.arange(products) % 5 == 0, late, 0)[:, None]] = 0
    titles = [f"{'red' if p % 2 else 'blue'} {('cup', 'plate', 'lamp')[p % 3]} {p}" for p in range(products)]
    monday = pd.date_range("2024-01-01", periods=weeks, freq="7D")
    return WeeklyDemand("made", sales, monday, titles, np.zeros(weeks, dtype=bool))
