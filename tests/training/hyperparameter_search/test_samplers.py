"""One interface: proposals follow from the number (and, for TPE, from the history) alone."""

import numpy as np
import pytest

from recsys.code.registry import RegistryError
from recsys.training.hyperparameter_search.samplers import SAMPLERS, Listed, make_sampler
from recsys.training.hyperparameter_search.spaces import Choice, Real, SpaceError, Whole
from recsys.training.hyperparameter_search.trial import Trial

SPACE = {"x": Real(0.0, 1.0), "k": Whole(1, 9), "kind": Choice(("a", None, 3))}
CHOICES = {"a": Choice((1, 2, 3)), "b": Choice(("x", "y"))}


def space_of(name):
    return CHOICES if name == "grid" else SPACE


def history(sampler, count):
    trials = []
    for number in range(count):
        settings = sampler.propose(number, trials)
        value = (settings["x"] - 0.7) ** 2 if "x" in settings else number
        trials.append(Trial(number, settings, "done", {"loss": value}))
    return trials


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_made_again_goes_on_where_the_first_stopped(name):
    options = {"metrics": ["loss"], "directions": ["min"]}
    whole = history(make_sampler(name, space_of(name), 4, **options), 6)
    again = make_sampler(name, space_of(name), 4, **options)
    assert [again.propose(n, whole[:n]) for n in (5, 2, 4)] == [whole[n].settings for n in (5, 2, 4)]
    if name != "grid":
        other = make_sampler(name, space_of(name), 5, **options)
        assert other.propose(0, []) != whole[0].settings
        assert len({str(trial.settings) for trial in whole}) == 6


@pytest.mark.parametrize("name", SAMPLERS)
def test_proposals_lie_in_the_space(name):
    space = space_of(name)
    for trial in history(make_sampler(name, space, metrics=["loss"], directions=["min"]), 6):
        assert trial.settings.keys() == space.keys()
        assert all(one.holds(trial.settings[key]) for key, one in space.items())


def test_a_grid_is_every_combination_once():
    grid = make_sampler("grid", CHOICES)
    points = [grid.propose(number, []) for number in range(6)]
    assert len({str(point) for point in points}) == 6
    assert grid.propose(6, []) is None
    with pytest.raises(SpaceError, match="x, k: a grid needs choices"):
        make_sampler("grid", SPACE)


def test_tpe_learns():
    tpe = make_sampler("tpe", {"x": Real(0.0, 1.0)}, 0, metrics=["loss"], directions=["min"])
    values = [trial.settings["x"] for trial in history(tpe, 30)]
    assert np.abs(np.array(values[20:]) - 0.7).mean() < 0.5 * np.abs(np.array(values[:10]) - 0.7).mean()


def test_tpe_keeps_away_from_what_is_running():
    tpe = make_sampler("tpe", {"x": Real(0.0, 1.0)}, 0, metrics=["loss"], directions=["min"])
    before = history(tpe, 15)
    alone = tpe.propose(15, before)
    assert tpe.propose(15, before, running=[alone] * 5) != alone


def test_tpe_passes_over_what_it_cannot_use():
    tpe = make_sampler("tpe", SPACE, 0, metrics=["loss"], directions=["min"])
    outside = Trial(0, {"x": 7.0, "k": 1, "kind": "a"}, "done", {"loss": 1.0})
    failed = Trial(1, {"x": 0.5, "k": 1, "kind": "a"}, "failed")
    assert tpe.propose(2, [outside, failed]) == tpe.propose(2, [])


def test_defaults_come_first_and_the_sampler_begins_at_its_beginning():
    inner = make_sampler("random", SPACE, 3)
    listed = Listed([{"x": 9}], inner)
    assert listed.propose(0, []) == {"x": 9}
    assert listed.propose(1, []) == inner.propose(0, [])
    assert Listed([{"x": 9}]).propose(1, []) is None


def test_unknown_samplers_are_named():
    with pytest.raises(RegistryError, match="no sampler 'quasi'"):
        make_sampler("quasi", SPACE)
