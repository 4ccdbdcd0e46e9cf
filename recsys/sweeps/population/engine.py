"""Runs a population on Ray Tune and keeps the arm's log of it."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from ray.tune import Callback, CheckpointConfig, RunConfig, TuneConfig, Tuner, grid_search, with_resources

from recsys.sweeps.arm import Arm
from recsys.sweeps.population.scheduler import make_population
from recsys.sweeps.searcher import LOST
from recsys.sweeps.trials.trainable import SAID, STATE, SweepTrainable
from recsys.training.hyperparameter_search.trial import DONE, FAILED, Trial

KEPT = 3  # checkpoints of a member: a donor may have gone on since


def run_population(arm: Arm, asked: dict[str, Any], on_end: Callable[[Trial], None]) -> None:
    """All of an arm's trials as one population; one that was cut off begins anew, its log put aside.

    Args:
        asked: of `recsys.sweeps.engine.ask`.
    """
    if arm.trials or arm.handed:
        arm.begin_anew()
    spec = arm.spec
    told = asked["ask"]
    members = []
    while (proposed := arm.propose()) is not None:
        number, settings = proposed
        members.append(told | {"number": number, "settings": told["unsearched"] | settings})
    log = PopulationLog(arm, on_end)
    random.seed(f"{spec.seed} {arm.repeat}")  # Tune draws donors and changes from Python's generator
    scratch = tempfile.mkdtemp(prefix="recsys-tune-")
    try:
        Tuner(
            with_resources(SweepTrainable, {"cpu": spec.needs.threads}),
            param_space=asked | {"ask": grid_search(members)},
            tune_config=TuneConfig(
                scheduler=make_population(spec, arm.method, log.exchanged), reuse_actors=True
            ),
            run_config=RunConfig(
                name="arm",
                storage_path=scratch,
                verbose=0,
                callbacks=[log],
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False, num_to_keep=KEPT),
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class PopulationLog(Callback):
    """Tells the arm of every report, exchange and end. A member's core seconds are those of its own pieces:
    what its donor had used before is the donor's."""

    def __init__(self, arm: Arm, on_end: Callable[[Trial], None]):
        self.arm, self.on_end = arm, on_end
        self.numbers: dict[str, int] = {}
        self.pieces: dict[int, dict[str, float]] = {}
        self.seconds: dict[int, dict[str, float]] = {}
        self.epochs: dict[int, int] = {}
        self.exchanges: dict[int, Callable[[], None]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """As of `recsys.sweeps.searcher.ArmSearcher`: an open log cannot be part of Tune's snapshots."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Later its configuration may be another member's, number included."""
        self.numbers.setdefault(trial.trial_id, trial.config["ask"]["number"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number, said = self.numbers[trial.trial_id], json.loads(result[SAID])
        self.pieces.setdefault(number, {})[said["piece"]] = said["core_seconds"]
        self.seconds.setdefault(number, {})[said["piece"]] = said["seconds"]
        if result[STATE] == "running":
            self.epochs[number] = result["training_iteration"]
            used = sum(self.pieces[number].values())
            self.arm.report(number, result["training_iteration"], said["metrics"], used)
        if log_exchange := self.exchanges.pop(number, None):
            log_exchange()

    def exchanged(self, trial_id: str, donor_id: str, config: dict[str, Any], epoch: int) -> None:
        """Called by the scheduler, after this report of the trial.

        Tune tells its scheduler of a report before it tells this log: the exchange of the member for which
        all waited is logged after its report.
        """
        number, donor = self.numbers[trial_id], self.numbers[donor_id]
        settings = {name: config["ask"]["settings"][name] for name in self.arm.spec.ranges}
        log_exchange = partial(self.arm.change, number, epoch, donor, settings)
        if self.epochs.get(number) == epoch:
            log_exchange()
        else:
            self.exchanges[number] = log_exchange

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = self.numbers[trial.trial_id]
        said = json.loads(trial.last_result[SAID])
        used = {"core_seconds": sum(self.pieces[number].values())}
        used["seconds"] = sum(self.seconds[number].values())
        state = {"done": DONE}.get(trial.last_result[STATE], FAILED)
        self.on_end(self.arm.end(number, state, said | used))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = self.numbers[trial.trial_id]
        used = {"core_seconds": sum(self.pieces.get(number, {}).values())}
        self.on_end(self.arm.end(number, FAILED, {"reason": LOST} | used))
