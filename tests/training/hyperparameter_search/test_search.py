"""The search: equal budgets, no test part, failures named, cut off and gone on with."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.splits import Split
from recsys.training.diverged import TrainingDiverged
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.search import Budget, Measured, SearchError, core_seconds, search
from recsys.training.hyperparameter_search.spaces import Real
from recsys.training.hyperparameter_search.trial_log import TrialLog, TrialLogError, read_log
from recsys.training.hyperparameter_search.validation_only import NoTestPart, without_test

TABLE = pd.DataFrame({"user": [0, 1], "item": [0, 1]})
SPLIT = Split(TABLE, TABLE, TABLE, "leave_one_out", 2, 2)
SPACE = {"x": Real(0.0, 1.0)}


def parabola(given, data):
    return Measured({"loss": (given["x"] - 0.3) ** 2}, kept=given["x"])


def run(objective=parabola, trials=8, log=None, **options):
    sampler = make_sampler("random", SPACE, 1)
    return search(
        objective, SPLIT, sampler, Budget(trials=trials), metric="loss", direction="min", log=log, **options
    )


def test_the_best_and_what_it_kept():
    found = run()
    frame = found.frame
    assert len(frame) == 8
    assert found.best.metrics["loss"] == frame["loss"].min()
    assert found.kept == found.best.settings["x"]
    assert frame["chosen"].sum() == 1
    assert frame["spent"].is_monotonic_increasing


@pytest.mark.parametrize(
    "reach",
    [
        lambda data: data.test["item"],
        lambda data: len(data.test),
        lambda data: data.test.user,
        lambda data: list(data.test),
        lambda data: pd.concat([data.validation, data.test]),
        lambda data: data.test.to_numpy(),
        lambda data: np.asarray(data.test["user"]),
    ],
)
def test_a_trial_that_reaches_for_the_test_part_gets_nothing(reach):
    with pytest.raises((NoTestPart, TypeError)):
        run(lambda given, data: Measured({"loss": float(np.size(reach(data)))}))


def test_nothing_of_the_test_part_is_in_the_data():
    marked = Split(TABLE, TABLE, TABLE.assign(item=77), "leave_one_out", 2, 2)
    blind = without_test(marked)
    assert vars(blind.test) == {}
    assert "77" not in repr(blind)
    with pytest.raises(TypeError, match="dict has no without_test"):
        without_test({"test": TABLE})


def test_of_a_budget_in_core_seconds_only_what_ended_within_counts():
    def burn(given, data):
        start = core_seconds()
        while core_seconds() - start < given["cost"]:
            sum(range(1000))
        return Measured({"loss": -given["cost"]})

    costs = [0.03, 0.03, 0.5, 0.01]
    found = search(
        burn,
        SPLIT,
        Listed([{"cost": cost} for cost in costs]),
        Budget(core_seconds=0.2),
        metric="loss",
        direction="min",
    )
    assert found.frame["counts"].tolist() == [True, True, False]
    assert found.best.settings["cost"] == 0.03
    alone = search(
        burn, SPLIT, Listed([{"cost": 0.1}]), Budget(core_seconds=0.01), metric="loss", direction="min"
    )
    assert alone.best.number == 0  # what a model does without a search always counts


def test_what_a_bad_setting_does_is_named_and_survived():
    def sometimes(given, data):
        if given["x"] > 0.6:
            raise TrainingDiverged("the loss", 3, 0.1, [])
        return Measured({"loss": float("nan") if given["x"] < 0.2 else given["x"]})

    found = run(sometimes, trials=12)
    frame = found.frame.set_index("x")
    assert set(frame["state"]) == {"done", "failed"}
    assert (frame[frame.index > 0.6]["reason"].str.contains("TrainingDiverged")).all()
    assert (frame[frame.index < 0.2]["reason"] == "loss is nan").all()
    assert 0.2 <= found.best.settings["x"] <= 0.6


def test_a_search_in_which_nothing_works_says_why():
    def never(given, data):
        raise MemoryError("no room")

    with pytest.raises(SearchError, match=r"none of 2 settings could be used: .*MemoryError: no room"):
        run(never, trials=2)


def test_a_programming_error_is_not_survived():
    with pytest.raises(KeyError):
        run(lambda given, data: Measured({"loss": given["y"]}))


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(SearchError, match="gives no 'loss'; it gives auc"):
        run(lambda given, data: Measured({"auc": 1.0}))
    for wrong in ({}, {"trials": 1, "core_seconds": 1}, {"trials": 0}, {"core_seconds": 0}, {"trials": 1.5}):
        with pytest.raises(SearchError, match="budget"):
            Budget(**wrong)
    with pytest.raises(SearchError, match="nothing to try"):
        search(parabola, SPLIT, Listed([]), Budget(trials=3), metric="loss")
    with pytest.raises(SearchError, match="direction must be"):
        search(parabola, SPLIT, Listed([{"x": 1}]), Budget(trials=3), metric="loss", direction="down")


@dataclass
class Cut(Exception):
    after: int


def test_a_search_that_was_cut_off_goes_on_and_ends_the_same(tmp_path):
    whole = run(log=tmp_path / "whole.jsonl")
    for after in (1, 3, 7):
        log, seen = tmp_path / f"{after}.jsonl", []

        def cut(trial, kept, seen=seen, after=after):
            seen.append(trial)
            if len(seen) == after:
                raise Cut(after)

        with pytest.raises(Cut):
            run(log=log, after_trial=cut)
        asked = []

        def counted(given, data, asked=asked):
            asked.append(given)
            return parabola(given, data)

        found = run(counted, log=log)
        assert [trial.settings for trial in found.trials] == [trial.settings for trial in whole.trials]
        assert found.best.number == whole.best.number
        assert found.kept == whole.kept  # made once more when the best came from the log
        assert len(asked) == 8 - after + (whole.best.number < after)


def test_a_log_of_another_search_is_refused(tmp_path):
    run(log=tmp_path / "log.jsonl", identity={"model": "a"})
    with pytest.raises(TrialLogError, match="of another search: model was 'a', now it is 'b'"):
        run(log=tmp_path / "log.jsonl", identity={"model": "b"})
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(TrialLogError, match="line 1: not JSON"):
        run(log=tmp_path / "text")
    with pytest.raises(TrialLogError, match="cannot be read"):
        read_log(tmp_path / "nothing")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_log_cut_anywhere_is_read_and_gone_on_with(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    with TrialLog(path, {"what": "é"}) as log:
        for number in range(4):
            log.append({"number": number, "text": "ü" * number})
    text = path.read_bytes()
    cut = data.draw(st.integers(0, len(text)))
    path.write_bytes(text[:cut])
    with TrialLog(path, {"what": "é"}) as log:
        before = len(log.events)
        assert [event["number"] for event in log.events] == list(range(before))
        assert before == max(0, text[:cut].count(b"\n") - 1)
        log.append({"number": before})
    assert [event["number"] for event in read_log(path)[1]] == list(range(before + 1))
