"""Runs the arms of a sweep on Ray Tune, all on one Ray instance."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.execution.orphan_cleanup import orphans_ended
from recsys.runs.execution.runner import FORWARDED, started_ray
from recsys.sweeps.arm import Arm
from recsys.sweeps.declarations import completed
from recsys.sweeps.schedulers import make_scheduler
from recsys.sweeps.spec import Spec, SweepError
from recsys.training.hyperparameter_search.trial import Trial

# Read by Tune when it is imported or started; they turn off its files, which our log replaces.
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial has no metric
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's ends one arm and lets the next begin: Ctrl-C ends the sweep
}


def run_arms(
    arms: Sequence[Arm],
    folder: Path,
    *,
    address: str | None = None,
    cores: int | None = None,
    on_end: Callable[[Arm, Trial], None] = lambda arm, trial: None,
) -> None:
    """Run every arm until its budget is spent: one arm after another, its trials in parallel.

    Args:
        arms: those that are not complete. folder: of the sweep.
        address, cores: as of `recsys.runs.execution.runner.run`.
        on_end: called with the arm and each trial that has ended.

    Raises:
        RunnerError: Ray does not start. SweepError: a trial needs more cores than there are.
    """
    os.environ.update(QUIET)
    with orphans_ended(), started_ray(address, cores) as ray:
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        total = int(ray.cluster_resources().get("CPU", 1))
        threads = arms[0].spec.needs.threads
        if threads > total:
            raise SweepError(f"a trial needs {threads} threads, there are {total} cores")
        for arm in arms:
            _run_arm(arm, folder, total // threads, lambda trial, arm=arm: on_end(arm, trial))


def _run_arm(arm: Arm, folder: Path, side_by_side: int, on_end: Callable[[Trial], None]) -> None:
    from ray.tune import CheckpointConfig, RunConfig, TuneConfig, Tuner, with_resources

    from recsys.sweeps.searcher import ArmSearcher
    from recsys.sweeps.trials.trainable import SweepTrainable

    spec, objective = arm.spec, arm.spec.objectives[0]
    if arm.method.scheduler == "pbt":
        from recsys.sweeps.population.engine import run_population

        run_population(arm, ask(spec, folder), on_end)
        return
    searcher = ArmSearcher(arm, ask(spec, folder), on_end)
    scratch = Path(tempfile.mkdtemp(prefix="recsys-tune-"))  # Tune requires a folder; nothing in it is read
    try:
        Tuner(
            with_resources(SweepTrainable, {"cpu": spec.needs.threads}),
            tune_config=TuneConfig(
                search_alg=searcher,
                scheduler=make_scheduler(arm.method, objective.metric, objective.direction),
                num_samples=-1,
                reuse_actors=True,
                max_concurrent_trials=side_by_side,
            ),
            run_config=RunConfig(
                name="arm",
                storage_path=str(scratch),
                verbose=0,
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def ask(spec: Spec, folder: Path) -> dict[str, Any]:
    """The part of a trial's job that all trials share; the searcher adds number and settings."""
    environment = {name: os.environ[name] for name in FORWARDED if name in os.environ}
    asked = {
        "project": str(paths.PROJECT),
        "function": spec.function,
        "notebook": spec.notebook,
        "unsearched": completed(spec, {}),
        "threads": spec.needs.threads,
        "sweep": spec.name,
        "folder": str(folder / "runs"),
        "metrics": [one.metric for one in spec.objectives],
        "environment": environment,
    }
    limits = {"seconds": spec.limits.seconds, "memory_gb": spec.limits.memory_gb}
    return {"ask": asked, "environment": environment, **limits}
