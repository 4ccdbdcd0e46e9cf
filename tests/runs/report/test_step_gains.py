"""Gains of the ladder's steps, read from records whose stacks were planted."""

import pytest

from recsys.benchmarks.ladder.steps import ALL, STEPS, stacks, told
from recsys.runs import paths
from recsys.runs.records import load_records
from recsys.runs.report.step_gains import EXPERIMENT, INSTEAD, SIMPLE, step_gains
from tests.runs.made_records import make_record, positions

RANK = 40  # mean rank of the ground; each step halves it


def plant(folder, found, seeds=(0, 1, 2), dataset="demo_store", profile="reference"):
    """Records of stacks: each step halves the mean rank, costs ten seconds and a million bytes."""
    for stack in found:
        for seed in seeds:
            make_record(
                folder,
                EXPERIMENT,
                {"steps": told(stack), "dataset": dataset, "seed": seed},
                {"core_seconds": 5 + 10.0 * len(stack), "stored_bytes": 1e6 * (1 + len(stack))},
                ranks=positions(400, RANK / 2 ** len(stack), 100 * len(stack) + seed),
                profile=profile,
            )
    return load_records(folder, EXPERIMENT)


def plant_simple(folder, seeds=(0, 1, 2)):
    """EASE, whose mean rank is a quarter of the ground's, for one core second."""
    for seed in seeds:
        parameters = {"model": "ease", "state": "moment", "dataset": "demo_store", "seed": seed}
        ranks = positions(400, RANK / 4, 700 + seed)
        made = {"core_seconds": 1.0, "stored_bytes": 1e5}
        make_record(folder, SIMPLE, parameters, made, ranks=ranks, profile="reference")
    return load_records(folder, SIMPLE)


def test_every_step_is_told_in_every_way_with_interval_and_cost(tmp_path):
    gains = step_gains(plant(tmp_path, stacks()))
    assert set(gains["way"]) == {"alone", "added", "other order", "together"}
    assert set(gains["step"]) == {*STEPS, ALL}
    assert (gains["low"] <= gains["gain"]).all()
    assert (gains["gain"] <= gains["high"]).all()
    one = gains[(gains["step"] == "pretrained") & (gains["way"] == "added")].iloc[0]
    assert one["below"] == "ground"
    assert one["low"] > 0
    assert one["core_seconds"] == pytest.approx(10)
    assert one["stored_bytes"] == pytest.approx(1e6)
    assert one["seeds"] == 3
    whole = gains[gains["step"] == ALL].iloc[0]
    assert whole["core_seconds"] == pytest.approx(70)
    assert whole["gain"] > one["gain"]


def test_a_simple_model_stands_beside_the_stack_over_the_same_ground(tmp_path):
    gains = step_gains([*plant(tmp_path, [(), ("fusion",)]), *plant_simple(tmp_path)])
    row = gains[gains["way"] == INSTEAD[1]].iloc[0]
    assert (row["step"], row["experiment"], row["below"]) == (INSTEAD[0], SIMPLE, "ground")
    assert row["low"] > 0
    assert row["core_seconds"] == pytest.approx(1 - 5)
    assert set(gains.loc[gains["way"] != INSTEAD[1], "experiment"]) == {EXPERIMENT}


def test_what_is_not_recorded_is_left_out(tmp_path):
    gains = step_gains(plant(tmp_path, [(), ("fusion",)]))
    told_once = gains[gains["way"] != "together"]
    # alone, and added on the ground in both orders of a ladder of one step
    assert set(told_once["step"]) == {"fusion"}
    assert step_gains([]).empty


def test_the_ground_alone_is_no_comparison(tmp_path):
    """The first run of a grid that is under way has it so."""
    assert step_gains(plant(tmp_path, [()])).empty


def test_a_ladder_without_pictures_is_whole_without_them(tmp_path):
    steps = [step for step in STEPS if step != "multimodal"]
    gains = step_gains(plant(tmp_path, stacks(steps), dataset="online_retail"))
    assert "multimodal" not in set(gains["step"])
    assert (gains["step"] == ALL).sum() == 1


def test_the_notebook_shows_the_reference_where_the_reader_has_one_stack(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REFERENCE", tmp_path / "reference")
    plant(tmp_path / "reference", [(), ("fusion",)])
    plant(tmp_path / "runs", [("fusion",)], seeds=(0,), profile="quick")
    assert not step_gains().empty
