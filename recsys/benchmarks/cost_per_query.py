"""Cost of a million queries, and the number of cores that meet a latency target (queueing model M/D/c).

Assumptions: every query takes the same time on one core (or `threads` of them); requests arrive at random (a
Poisson process); one queue, first come, first served. This is the queue M/D/c, whose waiting time is known
exactly. Measure `seconds` with all cores busy, because cores share memory bandwidth.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import poisson

MILLION = 1_000_000
MOST_CORES = 1024
FULLEST = 0.98  # highest planned utilisation of a core
TAIL = 28.0  # queue lengths with a probability below e^-28 are neglected


def cost_table(
    seconds: Mapping[str, float], *, price: float, utilisation: float = 0.5, threads: int = 1
) -> pd.DataFrame:
    """Cost of a million queries of each variant.

    Args:
        seconds: variant -> core time of a query, each above 0.
        price: of one core for one hour, in any currency.
        utilisation: share of the paid time that is spent on queries, in (0, 1]: traffic is low at night, and
            queues grow without bound near 1.
        threads: cores that a query uses.

    Returns:
        One row per variant, cheapest first: variant, seconds, queries_per_second (of one core, at that
        utilisation), cost_per_million (in the currency of `price`).

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> table = cost_table({"plain": 0.010, "fast": 0.002}, price=0.36, utilisation=0.5)
        >>> table["variant"].tolist(), table["cost_per_million"].round(2).tolist()
        (['fast', 'plain'], [0.4, 2.0])
    """
    _check(seconds, price=price, threads=threads)
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation must lie in (0, 1], got {utilisation}")
    table = pd.DataFrame({"variant": list(seconds), "seconds": list(seconds.values())})
    table["queries_per_second"] = utilisation / (table["seconds"] * threads)
    table["cost_per_million"] = MILLION / table["queries_per_second"] / 3600 * price
    return table.sort_values("cost_per_million", ignore_index=True)


def cores_table(
    seconds: Mapping[str, float], *, rate: float, within: float, price: float, share: float = 0.99
) -> pd.DataFrame:
    """Number of cores that answer `share` of the requests in time, and their cost.

    Args:
        seconds: variant -> seconds of a query on one core, each above 0.
        rate: requests a second.
        within: seconds from request to answer, network not counted.
        price: of one core for one hour.
        share: of the requests, in (0, 1); 0.99 makes `within` the 99th percentile.

    Returns:
        One row per variant, fewest cores first: variant, seconds, cores (<NA> where a single query takes
        longer than `within`, whatever the number of cores), utilisation, cost_per_million.

    Raises:
        ValueError: an argument out of range, or more than 1,024 cores needed.
    """
    _check(seconds, rate=rate, within=within, price=price)
    rows = []
    for variant, each in seconds.items():
        if each > within:
            rows.append((variant, each, pd.NA, np.nan, np.nan))
            continue
        cores = cores_needed(each, rate, within, share)
        rows.append((variant, each, cores, rate * each / cores, cores * price / 3600 / rate * MILLION))
    columns = ["variant", "seconds", "cores", "utilisation", "cost_per_million"]
    table = pd.DataFrame(rows, columns=columns).astype({"cores": "Int64"})
    return table.sort_values(["cores", "seconds"], ignore_index=True)


def cost_by_load(
    seconds: Mapping[str, float], rates: Sequence[float], *, within: float, price: float
) -> pd.DataFrame:
    """Sensitivity to the load: number of cores at each load, and their cost.

    Args:
        seconds, within, price: see `cores_table`. rates: requests a second.

    Returns:
        One row per variant and load: variant, requests_per_second, cores, cost_per_hour, cost_per_million.
        Variants whose single query takes longer than `within` are left out.

    Raises:
        ValueError: see `cores_table`.
    """
    parts = [
        cores_table(seconds, rate=rate, within=within, price=price).assign(requests_per_second=rate)
        for rate in rates
    ]
    table = pd.concat(parts, ignore_index=True).dropna(subset="cores")
    table["cost_per_hour"] = price * table["cores"].astype(float)
    return table[["variant", "requests_per_second", "cores", "cost_per_hour", "cost_per_million"]]


def cores_needed(seconds: float, rate: float, within: float, share: float = 0.99) -> int:
    """The fewest cores with which `share` of the requests are answered within `within` seconds.

    Utilisation is at most 98 %, because measured seconds are not exact.

    Args: see `cores_table`.

    Raises:
        ValueError: an argument out of range; `within` shorter than a query; more than 1,024 cores.

    Example:
        >>> cores_needed(seconds=0.010, rate=150.0, within=0.050)
        2
    """
    _check({"seconds": seconds}, rate=rate, within=within)
    if not 0 < share < 1:
        raise ValueError(f"share must lie in (0, 1), got {share}")
    if seconds > within:
        raise ValueError(f"a query takes {seconds} s by itself: no number of cores answers it in {within} s")

    def enough(cores: int) -> bool:
        return waiting_at_most(within - seconds, seconds, rate, cores) >= share

    low = high = max(1, math.ceil(rate * seconds / FULLEST))
    while high <= MOST_CORES and not enough(high):
        low, high = high + 1, 2 * high
    if high > MOST_CORES:
        raise ValueError(f"{rate} requests a second of {seconds} s each take more than {MOST_CORES} cores")
    return low + bisect_left(range(low, high), True, key=enough)  # waits decrease with cores


def waiting_at_most(wait: float, seconds: float, rate: float, cores: int) -> float:
    """P(W ≤ wait) in the queue M/D/c: W is the time from a request's arrival until its query begins.

    Exact up to rounding (Franx 2001, "A simple solution for the M/D/c waiting time distribution", Operations
    Research Letters 29): let kD be the first multiple of D, the query's time, above the wait, and look at the
    queue kD - wait before the arrival. Its requests, and those that come until the arrival, begin first; in
    kD seconds the cores begin k × c. So the sum of the two must be below k × c.

    Args:
        wait: seconds, at least 0. seconds: D. rate: requests a second.
        cores: c, so many that they are busy for 98 % of the time at most.

    Raises:
        ValueError: an argument out of range.
    """
    _check({"seconds": seconds}, rate=rate)
    if wait < 0 or rate * seconds > FULLEST * cores + 1e-9:
        raise ValueError(
            f"wait must be at least 0 and {cores} cores at most {FULLEST:.0%} busy, got {wait} s, "
            f"{rate} requests a second of {seconds} s"
        )
    starts = math.floor(wait / seconds) + 1
    queue = np.cumsum(_in_the_system(rate * seconds, cores))[cores:]  # P(at most 0, 1, 2, … in the queue)
    ahead = starts * cores - 1
    come = poisson.pmf(np.arange(ahead + 1), rate * (starts * seconds - wait))
    places = np.minimum(ahead - np.arange(ahead + 1), len(queue) - 1)
    return float(min(come @ queue[places], 1.0))


def _in_the_system(offered: float, cores: int) -> np.ndarray:
    """[N] P(0, 1, 2, … requests waiting or in work); `offered` is rate × seconds.

    After the time of a query, all requests now in service have left and those that arrived since are there:
    that gives one linear equation per probability. In the tail they fall as τ^-n, log τ = ρ (τ - 1), with ρ
    the utilisation.
    """
    busy = offered / cores
    decay = brentq(lambda t: math.log1p(t) - busy * t, (1 - busy) / busy, 4 / busy**2)
    count = cores + math.ceil(8 * math.sqrt(offered) + TAIL / math.log1p(decay)) + 8
    arrivals = poisson.pmf(np.arange(count), offered)
    steps = np.arange(count)[:, None] - np.maximum(np.arange(count) - cores, 0)[None, :]
    equations = np.where(steps >= 0, arrivals[np.maximum(steps, 0)], 0.0) - np.eye(count)
    equations[-1] = 1.0  # they sum to one
    return np.linalg.solve(equations, np.eye(count)[-1]).clip(min=0)


def _check(seconds: Mapping[str, float], **others: float) -> None:
    for name, value in {**seconds, **others}.items():
        if not value > 0 or not math.isfinite(value):
            raise ValueError(f"{name} must be a number above 0, got {value}")
