"""Effect of a comparison over users *and* seeds: variance components, Satterthwaite's degrees of freedom, t.

Each side of a comparison is a table of scores, users (queries, lists) in rows and seeds in columns. All
sides score the same users; the seeds of different sides are independent and may differ in number. (Where the
seeds of both sides are paired, pass the differences as one side.) With n seeds and U users, a side's mean has
variance σ²_s/n from the seeds and σ²_e/(nU) from the interaction of users and seeds; the users, a sample of
all users, add the variance of their mean differences. So

    Var = V_users + Σ_sides max(0, V_seeds − V_residual)

where V_users = s²(mean difference of each user)/U, V_seeds = s²(mean of each seed)/n and V_residual =
s²(interaction)/(nU) is contained in both of the others. The degrees of freedom are Satterthwaite's (1946,
Biometrics Bulletin 2), as for a two-way random-effects layout (Searle, Casella & McCulloch 1992, ch. 4).
A percentile bootstrap over users and seeds covers only .84 where three seeds vary more than the users do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

EXACT = 1e-12  # relative spread below which numbers count as equal: summation order alone changes as much


@dataclass(frozen=True)
class Side:
    """One term of a contrast.

    Attributes:
        weight: what the side is multiplied by, 1 for the treatment, −1 for the control.
        scores: [U, n] users in the order of every other side, seeds; [1, n] where only the mean of each
            run is known; [U, 1] for a deterministic side, where another seed would give the same scores.
    """

    weight: float
    scores: np.ndarray


@dataclass(frozen=True)
class SeedPart:
    """What one side's seeds add to the variance of its mean.

    Attributes:
        variance: V_seeds − V_residual of the mean over its seeds, in the square of the metric's unit.
        seeds: number of seeds, n.
    """

    variance: float
    seeds: int


@dataclass(frozen=True)
class Effect:
    """A difference with its uncertainty.

    Attributes:
        effect: weighted sum of the sides' means.
        se: standard error; 0 where neither users nor seeds change the difference.
        df: Satterthwaite's degrees of freedom; infinite where se is 0.
        units: users that went in (1 where runs were compared by their means alone).
        unit_variance: the users' part of se²; seed_parts: the others, one for each side with seeds.
    """

    effect: float
    se: float
    df: float
    units: int
    unit_variance: float
    seed_parts: tuple[SeedPart, ...]

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided t interval."""
        if self.se == 0:
            return self.effect, self.effect
        half = float(stats.t.ppf((1 + confidence) / 2, self.df)) * self.se
        return self.effect - half, self.effect + half

    def p_above(self, line: float) -> float:
        """One-sided p-value of "the effect is at most `line`"; small where it lies above."""
        return self._tail(self.effect - line)

    def p_below(self, line: float) -> float:
        """One-sided p-value of "the effect is at least `line`"; small where it lies below."""
        return self._tail(line - self.effect)

    def p_value(self, line: float = 0.0) -> float:
        """Two-sided p-value of "the effect equals `line`"."""
        return min(1.0, 2 * min(self.p_above(line), self.p_below(line)))

    def _tail(self, distance: float) -> float:
        if self.se == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / self.se, self.df))

    def with_numbers(self, seeds: int | None = None, units: float | None = None) -> Effect:
        """The same variances with other numbers of seeds a side or users: what a larger grid would give."""
        parts = [
            SeedPart(p.variance * p.seeds / (seeds or p.seeds), seeds or p.seeds) for p in self.seed_parts
        ]
        users = self.unit_variance * (self.units / units if units else 1.0)
        total = users + sum(part.variance for part in parts)
        share = [(users, (units or self.units) - 1), *((p.variance, p.seeds - 1) for p in parts)]
        return replace(
            self,
            se=float(np.sqrt(total)),
            df=_satterthwaite(total, share),
            units=int(units or self.units),
            unit_variance=users,
            seed_parts=tuple(parts),
        )


def contrast(sides: Sequence[Side]) -> Effect:
    """Weighted sum of the sides' means, with the variance of users and seeds.

    A side with one seed adds no variance between seeds: the caller vouches that it is deterministic.

    Raises:
        ValueError: no side, sides over different numbers of users, or a value that is not finite.

    Example:
        >>> treatment = Side(1, np.array([[0.3, 0.4], [0.5, 0.6], [0.1, 0.2]]))
        >>> control = Side(-1, np.array([[0.2], [0.3], [0.1]]))
        >>> round(contrast([treatment, control]).effect, 3)
        0.15
    """
    tables = [(side.weight, np.asarray(side.scores, dtype=float)) for side in sides]
    shapes = {table.shape[0] if table.ndim == 2 else -1 for _, table in tables}
    if len(shapes) != 1 or -1 in shapes:
        raise ValueError("a contrast needs tables [users, seeds] over the same users on every side")
    if not all(table.size and np.isfinite(table).all() for _, table in tables):
        raise ValueError("a score is not finite, or a side is empty; mend the metric before comparing")
    units = shapes.pop()
    scale = max(float(np.abs(weight * table).max()) for weight, table in tables) or 1.0
    of_units = sum(weight * table.mean(axis=1) for weight, table in tables)
    unit_variance = _variance(of_units, scale) / units
    components = [(unit_variance, units - 1)]
    parts = []
    for weight, table in tables:
        seeds = table.shape[1]
        if seeds < 2:
            continue
        of_seeds = weight**2 * _variance(table.mean(axis=0), scale) / seeds
        residual = weight**2 * _residual(table) / (seeds * units)
        components.append((of_seeds, seeds - 1))
        parts.append(SeedPart(max(0.0, of_seeds - residual), seeds))
    total = unit_variance + sum(part.variance for part in parts)
    return Effect(
        float(of_units.mean()),
        float(np.sqrt(total)),
        _satterthwaite(total, components),
        units,
        unit_variance,
        tuple(parts),
    )


def _variance(values: np.ndarray, scale: float) -> float:
    """Unbiased variance; exactly 0 for numbers that differ in rounding alone, and for a single one."""
    if len(values) < 2 or np.ptp(values) <= EXACT * scale:
        return 0.0
    return float(values.var(ddof=1))


def _residual(table: np.ndarray) -> float:
    """Mean square of the interaction of users and seeds."""
    units, seeds = table.shape
    if units < 2:
        return 0.0
    left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0, keepdims=True) + table.mean()
    return float((left**2).sum() / ((units - 1) * (seeds - 1)))


def _satterthwaite(total: float, components: Sequence[tuple[float, float]]) -> float:
    """total² / Σ component² / df, but no less than the fewest degrees of freedom of a component.

    What is left of V_seeds goes into the total, V_seeds itself into the sum: with three seeds on one side
    that covers better (.92 for .91 where seeds vary three times as much as users). The floor is needed where
    two sides share their noise, as models of one seed may: the total is then far below its components, and
    the quotient below one.
    """
    below = sum(value**2 / df for value, df in components if df > 0 and value > 0)
    if total <= 0 or below <= 0:
        return float("inf")
    return max(float(total**2 / below), min(df for value, df in components if df > 0 and value > 0))
