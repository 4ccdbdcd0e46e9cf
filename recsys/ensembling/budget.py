"""The search budget of a fusion method, the same for all methods that are compared."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.ensembling.score_fusion import Normalisation


@dataclass(frozen=True)
class Budget:
    """Budget and settings of a fusion method.

    calls: most evaluations of the metric. rows: most validation users used to choose weights; 0: all.
    search: "coordinate", "grid" or "random". normalisation: of scores. seed: of folds and draws.
    """

    calls: int = 300
    rows: int = 6000
    search: str = "coordinate"
    normalisation: Normalisation = "z_score"
    seed: int = 0


BUDGET = Budget()
