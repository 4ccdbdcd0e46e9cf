"""Ray Tune's schedulers, built the same way for real and for replayed sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recsys.sweeps.spec import Method

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


def make_scheduler(method: Method, metric: str, direction: str) -> TrialScheduler | None:
    """The scheduler of a method: asynchronous successive halving (Li et al. 2020, arXiv:1810.05934), or None.

    A trial is compared with those that reached its rung before it, when it reaches it: nothing waits.
    Population-based training is none of these: `recsys.sweeps.population`.
    """
    if method.scheduler != "asha":
        return None
    from ray.tune.schedulers import ASHAScheduler

    return ASHAScheduler(
        metric=metric,
        mode=direction,
        grace_period=method.grace,
        reduction_factor=method.factor,
        max_t=max(method.most, method.grace),
    )
