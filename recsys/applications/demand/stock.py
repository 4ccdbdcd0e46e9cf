"""What forecasts are worth in the warehouse: an order-up-to policy with lead time, simulated week by week.

Each Monday every product is ordered up to its target S, the forecast quantile of demand over the protection
interval: lead time L and the week until the next order, L + 1 weeks. By the newsvendor argument (Silver, Pyke
& Thomas 2017, ch. 9) a piece held for a week at cost h and a piece short at cost b are balanced at the
quantile b / (b + h). Demand that finds an empty shelf is lost. A share of the orders is a week late, drawn by
seed, the same orders for every method.

T: weeks. P: products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SERVICES = (0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Stock:
    """served, lost: [T, P] pieces. held: [T, P] pieces left when the week ends."""

    served: np.ndarray
    lost: np.ndarray
    held: np.ndarray

    @property
    def fill_rate(self) -> float:
        """Share of the demanded pieces that were served at once."""
        return float(self.served.sum() / max((self.served + self.lost).sum(), 1e-9))

    @property
    def weeks_held(self) -> float:
        """Mean stock, in weeks of mean demand."""
        return float(self.held.sum() / max((self.served + self.lost).sum(), 1e-9))

    def cost(self, ratio: float) -> np.ndarray:
        """[P] Σ over weeks of (1 − ratio) · held + ratio · lost: h and b in units of h + b."""
        return ((1 - ratio) * self.held + ratio * self.lost).sum(axis=0)


def lead_times(weeks: int, products: int, lead: int, late_share: float, seed: int) -> np.ndarray:
    """[T, P] weeks from order to arrival: `lead`, and one more for a share of the orders.

    Raises:
        ValueError: lead below 1, or a share outside [0, 1].
    """
    if lead < 1 or not 0 <= late_share <= 1:
        raise ValueError(
            f"lead must be at least 1 week and late_share in [0, 1], got {lead} and {late_share}"
        )
    late = np.random.default_rng([seed, lead]).random((weeks, products)) < late_share
    return lead + late.astype(int)


def simulate(demand: np.ndarray, targets: np.ndarray, lead: np.ndarray) -> Stock:
    """Run the policy; the shelf starts filled to the first target.

    Args:
        demand: [T, P] pieces asked for. targets: [T, P] ≥ 0, the level S of each Monday. lead: [T, P].

    Returns:
        Pieces are neither made nor lost: what was there and came is what was served and what is held.

    Raises:
        ValueError: shapes differ, or a number is negative or NaN.
    """
    if not demand.shape == targets.shape == lead.shape:
        raise ValueError(f"shapes differ: demand {demand.shape}, targets {targets.shape}, lead {lead.shape}")
    if not (np.nan_to_num(demand, nan=-1) >= 0).all() or not (np.nan_to_num(targets, nan=-1) >= 0).all():
        raise ValueError("demand and targets must be numbers of pieces, at least 0")
    weeks, products = demand.shape
    arriving = np.zeros((weeks + int(lead.max(initial=1)) + 1, products))
    on_hand, ordered = targets[0].astype(float), np.zeros(products)
    served, lost, held = (np.zeros(demand.shape) for _ in range(3))
    columns = np.arange(products)
    for week in range(weeks):
        on_hand = on_hand + arriving[week]
        ordered = ordered - arriving[week]
        order = np.clip(targets[week] - on_hand - ordered, 0, None)
        arriving[week + lead[week], columns] += order
        ordered = ordered + order
        served[week] = np.minimum(on_hand, demand[week])
        lost[week] = demand[week] - served[week]
        on_hand = on_hand - served[week]
        held[week] = on_hand
    return Stock(served, lost, held)


def held_at(curve: pd.DataFrame, services: tuple[float, ...] = SERVICES) -> pd.DataFrame:
    """Stock that each method holds at equal service, in weeks of demand: between the levels simulated.

    Args:
        curve: columns method, level, fill_rate, weeks_held.
        services: shares of demand served at once, each in (0, 1].

    Returns:
        Index method, a column a service; NaN where a method's levels don't reach it from both sides.
    """
    rows = {}
    for method, points in curve.sort_values("fill_rate").groupby("method", sort=False):
        rate, held = points["fill_rate"].to_numpy(), points["weeks_held"].to_numpy()
        rows[method] = np.interp(services, rate, held, left=np.nan, right=np.nan)
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"{100 * s:g} %" for s in services])
