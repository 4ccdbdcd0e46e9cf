"""Disjoint groups of seeds, and seed ensembles of equal cost, as controls of mixed ensembles.

Six seeds make three disjoint pairs or two triples; groups that share a seed are not independent repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recsys.ensembling.errors import EnsembleError


def disjoint_groups(seeds: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Disjoint groups of `size` seeds; remaining seeds are left out.

    Raises:
        EnsembleError: a duplicate seed, or fewer seeds than one group needs.

    Example:
        >>> disjoint_groups(range(6), 2)
        [(0, 1), (2, 3), (4, 5)]
    """
    seeds = list(seeds)
    if len(set(seeds)) < len(seeds) or not 1 <= size <= len(seeds):
        raise EnsembleError(f"cannot deal {seeds} into groups of {size} different seeds")
    return [tuple(seeds[i : i + size]) for i in range(0, len(seeds) - size + 1, size)]


def affordable_seeds(costs: Mapping[str, float], members: Sequence[str], seeded: str) -> int:
    """Number of seeds of one model that cost no more than a mixed ensemble; at least one.

    Args:
        costs: seconds (or any cost) of fitting one member of each name.
        members: names in the mixed ensemble, with repeats.
        seeded: the model whose seeds form the control ensemble.

    Raises:
        EnsembleError: a cost is unknown or not above 0.
    """
    unknown = [name for name in (*members, seeded) if not costs.get(name, 0) > 0]
    if unknown:
        raise EnsembleError(f"the cost of {unknown[0]} is not known: fit it first")
    budget = sum(costs[name] for name in members)
    # a tolerance for rounding, so that the cost of two seeds affords two seeds
    return max(1, int(budget / costs[seeded] + 1e-9))
