"""What every method of fusion may spend, and on what it chooses: the same for all that are compared."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.ensembling.score_fusion import Normalisation


@dataclass(frozen=True)
class Budget:
    """The same for every method that is compared.

    calls: of the measure, at most. rows: validation users looked at in choosing, at most; 0: all.
    search: "coordinate", "grid" or "random". normalisation: of scores. seed: of folds and draws.
    """

    calls: int = 300
    rows: int = 6000
    search: str = "coordinate"
    normalisation: Normalisation = "z_score"
    seed: int = 0


BUDGET = Budget()
