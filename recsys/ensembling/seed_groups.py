"""Seeds dealt into disjoint groups, and ensembles of equal cost: what an ensemble must be compared with.

Six seeds make three disjoint pairs or two triples: groups that share a seed are no independent repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recsys.ensembling.errors import EnsembleError


def disjoint_groups(seeds: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Groups of `size` seeds, none in two of them; what does not fill a group is left out.

    Raises:
        EnsembleError: a seed twice, or fewer seeds than one group takes.

    Example:
        >>> disjoint_groups(range(6), 2)
        [(0, 1), (2, 3), (4, 5)]
    """
    seeds = list(seeds)
    if len(set(seeds)) < len(seeds) or not 1 <= size <= len(seeds):
        raise EnsembleError(f"cannot deal {seeds} into groups of {size} different seeds")
    return [tuple(seeds[i : i + size]) for i in range(0, len(seeds) - size + 1, size)]


def affordable_seeds(costs: Mapping[str, float], members: Sequence[str], seeded: str) -> int:
    """How many seeds of one model cost no more than a mixed ensemble; at least one.

    Args:
        costs: seconds (or any cost) of fitting one member of each name.
        members: names in the mixed ensemble, repeats counted.
        seeded: the model whose seeds are its rival.

    Raises:
        EnsembleError: a cost is unknown or not above 0.
    """
    unknown = [name for name in (*members, seeded) if not costs.get(name, 0) > 0]
    if unknown:
        raise EnsembleError(f"the cost of {unknown[0]} is not known: fit it first")
    budget = sum(costs[name] for name in members)
    # a hair's breadth, so that a pair of seeds buys two seeds
    return max(1, int(budget / costs[seeded] + 1e-9))
