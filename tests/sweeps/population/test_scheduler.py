"""The exchange of a population without Ray's processes: a stand-in for Tune runs its members in turn."""

import random
import types

import pytest
from ray.tune import CheckpointConfig
from ray.tune.experiment import Trial

from recsys.sweeps.population.scheduler import make_population
from recsys.sweeps.spec import Method
from tests.sweeps.conftest import small_spec

EPOCHS = 5


class Member:
    """What the scheduler asks of a trial of Tune."""

    def __init__(self, number: int, settings: dict):
        self.trial_id, self.experiment_tag = f"t{number}", f"{number}"
        self.config = {"ask": {"number": number, "settings": settings}}
        self.status, self.epoch, self.quality = Trial.PENDING, 0, 0.0
        self.temporary_state = types.SimpleNamespace(saving_to=None)
        manager = types.SimpleNamespace(checkpoint_config=CheckpointConfig(num_to_keep=3))
        self.run_metadata = types.SimpleNamespace(checkpoint_manager=manager)
        self.checkpoint = None

    def is_finished(self):
        return self.status in (Trial.TERMINATED, Trial.ERROR)

    def set_config(self, config):
        self.config = config

    def set_experiment_tag(self, tag):
        self.experiment_tag = tag


class Controller:
    """Runs one member at a time, until none can run."""

    search_alg = None

    def __init__(self, members):
        self.members = members

    def get_trials(self):
        return self.members

    def get_live_trials(self):
        return {one for one in self.members if not one.is_finished()}

    def pause_trial(self, trial, should_checkpoint=True):
        trial.status = Trial.PAUSED

    def _schedule_trial_save(self, trial, result=None):
        trial.checkpoint = ("saved", trial.trial_id, trial.epoch)
        return trial.checkpoint

    def run(self, scheduler, crashes):
        for one in self.members:
            scheduler.on_trial_add(self, one)
        while (member := scheduler.choose_trial_to_run(self)) is not None:
            self._restore(member)
            member.status = Trial.RUNNING
            if member.trial_id in crashes:
                member.status = Trial.TERMINATED
                scheduler.on_trial_complete(self, member, {})
                continue
            member.epoch += 1
            if member.epoch == EPOCHS:
                scheduler.on_trial_complete(self, member, {})
                member.status = Trial.TERMINATED
                continue
            value = 1 - abs(member.config["ask"]["settings"]["x"])
            result = {"training_iteration": member.epoch, "quality": value}
            decision = scheduler.on_trial_result(self, member, result)
            if decision == scheduler.PAUSE:
                member.checkpoint = ("saved", member.trial_id, member.epoch)
                member.status = Trial.PAUSED

    def _restore(self, member):
        """An exchange leaves its checkpoint where Tune's trial keeps its own."""
        manager = member.run_metadata.checkpoint_manager
        taken = getattr(manager, "_latest_checkpoint_result", None)
        if taken is not None:
            member.epoch = taken.checkpoint[2]
            manager._latest_checkpoint_result = None


def run(count=8, crashes=(), seed=0):
    spec = small_spec(space={"x": {"real": [-1.0, 1.0]}, "kind": {"choice": ["round", "flat"]}})
    told = []
    scheduler = make_population(
        spec, Method(sampler="random", scheduler="pbt"), lambda *what: told.append(what)
    )
    members = [Member(k, {"x": -0.9 + 0.2 * k, "kind": "round"}) for k in range(count)]
    random.seed(seed)
    Controller(members).run(scheduler, crashes)
    return members, told


def test_the_worst_quarter_takes_over_from_the_best_after_every_pass():
    members, told = run()
    assert all(one.is_finished() and one.epoch == EPOCHS for one in members)
    assert len(told) == 2 * (EPOCHS - 1)
    assert [epoch for *_, epoch in told] == [epoch for epoch in range(1, EPOCHS) for _ in range(2)]
    for taker, donor, config, _ in told:
        assert taker != donor
        assert abs(config["ask"]["settings"]["x"]) <= 1.0
        assert config["ask"]["settings"]["kind"] in ("round", "flat")
    assert {taker for taker, *_ in told[:2]} == {"t0", "t1"}  # the largest |x|
    assert {donor for _, donor, *_ in told[:2]} <= {"t4", "t5"}


def test_what_comes_out_depends_on_the_seed_alone():
    settings = [[one.config["ask"]["settings"]["x"] for one in run(seed=s)[0]] for s in (1, 1, 2)]
    assert settings[0] == settings[1] != settings[2]


@pytest.mark.parametrize("crashes", [("t7",), ("t0",), ("t3", "t7"), ("t0", "t1", "t2", "t3")])
def test_members_that_fail_hold_nobody_up(crashes):
    """All others once waited for ever when the last that they waited for had failed."""
    members, _ = run(crashes=crashes)
    assert {one.trial_id for one in members if one.epoch == EPOCHS} == {
        one.trial_id for one in members if one.trial_id not in crashes
    }
