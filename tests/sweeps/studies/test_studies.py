"""Studies of live sweeps: figures follow from logs, and the small ones run."""

import numpy as np
import pandas as pd
import pytest

from recsys.sweeps.replay import METHODS, replay_all
from recsys.sweeps.studies.commands import MeasurementFailed, in_own_folder, timed_sweep, write_spec
from recsys.sweeps.studies.engine_costs import one_after_another, overhead, reached
from recsys.sweeps.studies.halving import core_seconds_to_reach, reach_metrics
from recsys.sweeps.studies.population import plot_population
from recsys.sweeps.studies.tables import planted_table


def trials(method, values, seconds, repeat=0, state="done"):
    spent = np.cumsum(seconds)
    table = {
        "method": method,
        "repeat": repeat,
        "state": state,
        "counts": spent <= 10,
        "spent": spent,
        "q": values,
    }
    return pd.DataFrame(table)


def test_how_soon_the_fast_one_is_where_the_slow_one_ends():
    frame = pd.concat(
        [
            trials("random", [0.1, 0.5, 0.3], [3, 3, 3]),
            trials("random+asha", [0.2, 0.5, 0.6], [1, 1, 1]),
            trials("random", [0.9, 0.1], [4, 4], repeat=1),
            trials("random+asha", [0.2, 0.95], [1, 20], repeat=1),  # too late to count
            trials("random", [0.9], [4], repeat=2),
        ]
    )
    table = core_seconds_to_reach(frame, "q")
    assert table["repeat"].tolist() == [0, 1]
    assert table["fast_core_seconds"].tolist() == [2, 8]
    assert table["slow_core_seconds"].tolist() == [6, 4]
    assert table["ratio"].tolist() == pytest.approx([2 / 9, 1.0])
    assert table["reached"].tolist() == [True, False]
    metrics = reach_metrics(table, "halving")
    assert metrics["halving_time_ratio"] == pytest.approx((2 / 9) ** 0.5)
    assert metrics["halving_reached"] == 0.5
    assert (
        metrics["halving_time_ratio_low"] < metrics["halving_time_ratio"] < metrics["halving_time_ratio_high"]
    )
    single = reach_metrics(table.head(1), "halving")
    assert single["halving_time_ratio_low"] == single["halving_time_ratio_high"] == pytest.approx(2 / 9)
    assert reach_metrics(table.head(0), "halving") == {}


def test_a_stopped_trial_reaches_nothing():
    frame = pd.concat([trials("random", [0.5], [2]), trials("random+asha", [0.9], [1], state="stopped")])
    assert core_seconds_to_reach(frame, "q").empty


def test_the_smaller_is_better_where_it_is():
    frame = pd.concat([trials("random", [0.5, 0.2], [2, 2]), trials("random+asha", [0.4, 0.1], [1, 1])])
    assert core_seconds_to_reach(frame, "q", direction="min")["fast_core_seconds"].tolist() == [2]


def test_replayed_searches_can_be_asked_the_same():
    table = planted_table()
    methods = [m for m in METHODS if m.name in ("random", "random+asha")]
    found = core_seconds_to_reach(replay_all(table, methods, 60, repeats=5), table.metric)
    assert len(found) == 5
    assert found["ratio"].between(0, 1).all()


def test_the_overhead_is_what_lies_between_two_ends(tmp_path):
    found = overhead(tmp_path, trials=3, seconds=0.2, seed=0)
    assert found["overhead_longest_seconds"] >= found["overhead_seconds"] > 0
    assert found["first_trial_seconds"] > 0.2
    # the same trials again, one after another without Ray
    spec = write_spec(
        tmp_path,
        "overhead",
        question="?",
        function="planted",
        fixed={"seconds": 0.2},
        space={"x": {"real": [-1.0, 1.0]}, "y": {"real": [-1.0, 1.0]}},
        objectives=[{"metric": "quality"}],
        budget={"trials": 3},
        methods=[{"sampler": "quasi_random"}],
    )
    plan = reached(tmp_path, spec)
    assert [own["stopped"] for own in plan.values()] == [False] * 3
    seconds, values = one_after_another(tmp_path, spec, plan)
    assert seconds > 0.6
    assert values == {number: own["value"] for number, own in plan.items()}


def test_a_sweep_that_fails_is_told(tmp_path):
    spec = write_spec(
        tmp_path,
        "bad",
        question="?",
        function="planted",
        space={"x": {"real": [-1.0, 1.0]}},
        objectives=[{"metric": "quality"}],
        budget={"trials": 1},
    )
    with pytest.raises(MeasurementFailed, match=r"recsys sweep bad --resume: .*nothing to resume"):
        timed_sweep(tmp_path, spec, "--resume")
    assert not in_own_folder(lambda folder: folder).exists()


def test_the_population_is_drawn_with_its_exchanges():
    rows = [
        {
            "training": kind,
            "member": m,
            "epoch": e,
            "donor": np.nan,
            "learning_rate": 1e-3 * (m + 1),
            "ndcg@10": 0.1 * e,
        }
        for kind in ("independent", "population")
        for m in range(4)
        for e in (1, 2)
    ]
    frame = pd.DataFrame(rows)
    frame.loc[frame.index[-1], "donor"] = 0
    left, right = plot_population(frame)
    assert len(left.lines) >= 8
    assert len(right.collections[-1].get_offsets()) == 1
    assert right.get_yscale() == "log"
