"""What a notebook plots: the reader's own grid runs, else the committed reference."""

import numpy as np
import pandas as pd
import pytest

from recsys.runs import paths
from recsys.runs.evidence.results import (
    as_frame,
    comparison_plot,
    judged,
    one_at_a_time,
    policy_lines,
    recorded_tables,
    results,
)
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.plan import plan
from recsys.runs.records import load_records
from tests.runs.made_records import make_record

NAME = "01_loss_derivation"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REFERENCE", tmp_path / "reference")
    return tmp_path / "runs"


@pytest.fixture
def cell(runs):
    return plan([load_experiments()[NAME]], "quick")[0].parameters


def test_single_trials_do_not_stand_among_the_grid(runs, cell):
    make_record(runs, NAME, cell, {"ndcg@10": 0.1})
    make_record(runs, NAME, cell | {"steps": 7}, {"ndcg@10": 0.9})
    frame = results(NAME)
    assert frame["ndcg@10"].tolist() == [0.1]
    assert frame["origin"].tolist() == ["yours"]


def test_another_seed_of_the_grid_is_taken(runs, cell):
    make_record(runs, NAME, cell | {"seed": 77}, {"ndcg@10": 0.1})
    assert results(NAME)["seed"].tolist() == [77]


def test_trials_alone_leave_the_reference(runs, cell):
    make_record(runs, NAME, cell | {"steps": 7}, {"ndcg@10": 0.9})
    make_record(paths.REFERENCE, NAME, cell, {"ndcg@10": 0.2}, profile="reference")
    frame = results(NAME)
    assert (frame["ndcg@10"].tolist(), frame["origin"].tolist()) == ([0.2], ["reference"])


def test_what_no_claim_asks_is_judged_by_the_policy(runs, cell):
    better = np.random.default_rng(0).choice([-1, 0, 1], 4000, p=[0.02, 0.96, 0.02])
    for seed in range(3):
        made = make_record(paths.REFERENCE, NAME, cell | {"seed": seed}, profile="reference")
        lists = pd.DataFrame({"list": range(4000), "spoilt:difference": better})
        lists["lost:difference"] = better - 0.1
        lists.to_parquet(made.folder / "lists.parquet")
    one = {"treatment": {}, "value": 0.0, "pair": "list", "alternative": "greater"}
    asked = {kind: one | {"metric": f"{kind}:difference"} for kind in ("spoilt", "lost", "nothing")}
    table = judged(NAME, "keeps", asked).set_index("asked")
    assert table["state"].str.partition(":")[0].tolist() == ["supported", "refuted", "invalid"]
    assert (table.loc["spoilt", "n"], table.loc["spoilt", "line"]) == (4000, -0.01)
    assert table.loc["lost", "high"] < -0.09
    with pytest.raises(ValueError, match="either `control`"):
        judged(NAME, "keeps", {"half": {"metric": "x", "treatment": {}, "pair": "seed"}})


def test_one_cell_compares_nothing(runs, cell):
    """After the quick profile of a notebook that tunes one method, its picture is still of all methods."""
    for seed in (0, 1):
        make_record(runs, NAME, cell | {"seed": seed}, {"ndcg@10": 0.1})
    make_record(paths.REFERENCE, NAME, cell, {"ndcg@10": 0.2}, profile="reference")
    assert results(NAME)["origin"].unique().tolist() == ["reference"]
    other = plan([load_experiments()[NAME]], "quick")[1].parameters
    make_record(runs, NAME, other, {"ndcg@10": 0.3})
    assert results(NAME)["origin"].unique().tolist() == ["yours"]


def test_tables_of_the_runs_that_results_shows(runs, cell):
    other = plan([load_experiments()[NAME]], "quick")[1].parameters
    for number, parameters in enumerate((cell, other, cell | {"steps": 7})):  # the last is a single trial
        folder = make_record(runs, NAME, parameters, {"ndcg@10": 0.1}).folder
        if number != 1:  # which recorded none
            pd.DataFrame({"layer": [0, 1], "moved": [number, number]}).to_parquet(folder / "change.parquet")
    found = recorded_tables(NAME, "change", "objective", "seed")
    assert found.to_dict("list") == {
        "layer": [0, 1],
        "moved": [0, 0],
        "objective": [cell["objective"]] * 2,
        "seed": [cell["seed"]] * 2,
    }
    assert recorded_tables(NAME, "absent").empty


def test_smoke_runs_and_nothing_at_all(runs, cell, capsys):
    make_record(runs, NAME, cell, {"ndcg@10": 0.1}, profile="smoke")
    assert results(NAME).empty
    assert "recsys run 01_loss_derivation --profile quick" in capsys.readouterr().out


def test_one_choice_at_a_time(tmp_path):
    departure = {"rate": 1, "depth": 6}
    others = [departure | {"depth": 2}, departure | {"rate": 9}, {"rate": 9, "depth": 2}]
    for seed, parameters in enumerate([departure, departure, departure, *others]):
        make_record(tmp_path, "02_x", parameters | {"seed": seed}, {"score": 1.0})
    frame = as_frame(load_records(tmp_path), "yours")
    assert set(one_at_a_time(frame, "rate")["rate"]) == {1, 9}
    assert set(one_at_a_time(frame, "rate")["depth"]) == {6}
    assert one_at_a_time(frame).equals(frame[(frame["rate"] == 1) & (frame["depth"] == 6)])
    assert one_at_a_time(as_frame([], "yours"), "rate").empty


def test_numbers_are_compared_as_names_in_their_order():
    rates = [1e-3, 1e-5, 1e-4]
    frame = pd.DataFrame(
        {"learning_rate": rates * 2, "optimizer": ["", "adafactor"] * 3, "ndcg@10": [0.1, 0.2, 0.3] * 2}
    )
    frame = frame.assign(origin="your", experiment="02_x")
    axes = comparison_plot(frame, "ndcg@10", "learning_rate", "optimizer")
    assert axes.get_title(loc="left") + axes.get_title() == "02_x"
    axes.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1e-05", "0.0001", "0.001"]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"default", "adafactor"}
    low, high = axes.get_xlim()
    assert 0 < low < 0.1 < 0.3 < high < 0.4


def test_dollars_are_no_formula_and_nothing_unprintable_reaches_a_picture():
    words = ["$x$", "5$ off \x07", "plain"]
    frame = pd.DataFrame({"prompt": words, "ndcg@10": [0.1, 0.2, 0.3]}).assign(
        origin="your", experiment="02_x"
    )
    axes = comparison_plot(frame, "ndcg@10", "prompt")
    axes.figure.canvas.draw()
    labels = {label.get_text() for label in axes.get_yticklabels()}
    assert labels == {r"\$x\$", "5\\$ off \ufffd", "plain"}


def test_the_line_is_the_policys_absolute_for_accuracy_and_relative_for_a_ranking():
    shares = pd.DataFrame({"dataset": ["banking77", "online_retail"], "control": [0.8, 0.1]})
    lines = policy_lines(shares, "quality")
    assert lines == {"banking77": pytest.approx(1 - 0.01 / 0.8), "online_retail": pytest.approx(0.98)}
    assert policy_lines(pd.DataFrame(), "quality") == {}


def test_an_unknown_experiment_is_told_from_one_without_records(capsys):
    for asked, told in (
        ("06_ray_tune_sweep", "No experiment '06_ray_tune_sweep'; did you mean '06_ray_tune_sweeps'?"),
        ("policy", "No experiment 'policy'. There are 00_data_and_splits, "),
    ):
        assert results(asked).empty
        assert told in capsys.readouterr().out
