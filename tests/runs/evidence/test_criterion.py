"""One criterion: how its state follows from the numbers, and which targets it looks at."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.runs.evidence.criterion import Criterion, Finding, decide, examine
from recsys.runs.records import load_records
from tests.runs.made_records import make_record

GAP_FALLS = {
    "metric": "overfit_gap",
    "treatment": {"objective": "l2"},
    "control": {"objective": "bce"},
    "pair": "seed",
    "alternative": "less",
}


@given(
    low=st.floats(-1, 1),
    width=st.floats(0, 1),
    line=st.floats(-1, 1),
    p=st.floats(0, 1),
    alternative=st.sampled_from(["greater", "less"]),
)
def test_decision_is_symmetric_and_needs_both_interval_and_p(low, width, line, p, alternative):
    criterion = Criterion.model_validate(GAP_FALLS | {"alternative": alternative})
    finding = Finding(criterion, "undecided", "", low, low, low + width, line)
    state = decide(finding, p).state
    other = "less" if alternative == "greater" else "greater"
    mirrored = Finding(
        criterion.model_copy(update={"alternative": other}), "undecided", "", -low, -low - width, -low, -line
    )
    assert decide(mirrored, p).state == state
    if state != "undecided":
        assert p < 0.05
        assert line < low or line > low + width
        assert (state == "supported") == ((line < low) == (alternative == "greater"))


def ranks(of_rare: int, of_frequent: int) -> pd.DataFrame:
    """40 users, half of them with a target that training saw twice, half with one that it saw 50 times."""
    rare = np.arange(40) < 20
    better = np.where(rare, of_rare, of_frequent)
    table = pd.DataFrame({"user": np.arange(40), "item": np.arange(40), "better": better, "equal": 0})
    return table.assign(train_count=np.where(rare, 2, 50))


def test_rare_targets_alone(tmp_path):
    settings = {"metric": "ndcg@10", "treatment": {"model": "text"}, "control": {"model": "ids"}}
    settings |= {"pair": "user", "alternative": "greater"}
    make_record(tmp_path, "02_x", {"model": "text"}, ranks=ranks(of_rare=0, of_frequent=9))
    make_record(tmp_path, "02_x", {"model": "ids"}, ranks=ranks(of_rare=9, of_frequent=0))
    records = load_records(tmp_path)
    everything = examine(Criterion(**settings), "02_x", records)
    rare = examine(Criterion(**settings, seen_at_most=3), "02_x", records)
    assert (everything.n, rare.n) == (40, 20)
    assert everything.effect == pytest.approx(0)
    assert rare.effect == pytest.approx(1 - 1 / np.log2(11))
    assert rare.place == "items bought at most 3 times in training"


def test_ranks_without_counts_are_named(tmp_path):
    settings = {"metric": "ndcg@10", "treatment": {"model": "text"}, "value": 0.1, "pair": "user"}
    make_record(tmp_path, "02_x", {"model": "text"}, ranks=ranks(0, 0).drop(columns="train_count"))
    found = examine(Criterion(**settings, alternative="less", seen_at_most=3), "02_x", load_records(tmp_path))
    assert found.state == "not yet tested"
    assert "recorded no train_count" in found.message


def test_lists_are_pairs_averaged_over_seeds(tmp_path):
    """Seeds that judge the same lists alike are no evidence beyond the lists."""
    criterion = Criterion(
        metric="fast:difference", treatment={"threads": 1}, value=0.0, pair="list", alternative="greater"
    )
    worse = np.random.default_rng(0).normal(-0.01, 0.02, 200)
    for seed in range(3):
        folder = make_record(tmp_path, "05_x", {"threads": 1, "seed": seed}).folder
        if seed == 2:
            found = examine(criterion, "05_x", load_records(tmp_path))
            assert found.state == "not yet tested"
            assert "recorded no 'fast:difference' for each list" in found.message
        lists = pd.DataFrame({"list": np.arange(200), "fast:difference": worse})
        lists.to_parquet(folder / "lists.parquet")
    found = examine(criterion, "05_x", load_records(tmp_path))
    assert (found.n, found.effect) == (200, pytest.approx(worse.mean()))
    half = 1.96 * worse.std() / np.sqrt(200)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)
    assert decide(found, found.p_value).state == "refuted"


def test_seeds_that_judge_other_lists_are_not_averaged(tmp_path):
    for seed in range(2):
        folder = make_record(tmp_path, "05_x", {"threads": 1, "seed": seed}).folder
        pd.DataFrame({"list": [seed, 2], "fast:difference": 0.1}).to_parquet(folder / "lists.parquet")
    asked = {"metric": "fast:difference", "treatment": {"threads": 1}, "value": 0.0, "pair": "list"}
    found = examine(Criterion(**asked, alternative="greater"), "05_x", load_records(tmp_path))
    assert (found.state, found.n) == ("undecided", 0)
    assert found.message == "the seeds rank different lists, so lists can't be averaged over seeds"


def test_lists_have_no_control():
    with pytest.raises(ValueError, match="lists hold differences within a run"):
        Criterion(**GAP_FALLS | {"pair": "list"})


def test_gains_over_each_sides_own_start(tmp_path):
    settings = {"metric": "score", "treatment": {"share": "few"}, "control": {"share": "many"}}
    settings |= {"where": {"start": "pretrained"}, "gain_over": {"start": "random"}}
    criterion = Criterion(**settings, pair="seed", alternative="greater")
    scores = {("few", "pretrained"): 0.5, ("few", "random"): 0.1, ("many", "pretrained"): 0.9}
    for seed in range(3):
        for (share, start), score in scores.items():
            parameters = {"share": share, "start": start, "seed": seed}
            make_record(tmp_path, "02_x", parameters, {"score": score + 0.1 * seed})
    found = examine(criterion, "02_x", load_records(tmp_path))
    assert (found.state, found.message) == ("not yet tested", "no record of the control's start")
    for seed in range(3):
        make_record(tmp_path, "02_x", {"share": "many", "start": "random", "seed": seed}, {"score": 0.8})
    found = examine(criterion, "02_x", load_records(tmp_path))
    # the control's gains are .1, .2, .3; the treatment's always .4
    assert found.effect == pytest.approx(0.2)
    assert len(found.runs) == 12


def test_a_gain_over_a_fixed_number_is_refused():
    with pytest.raises(ValueError, match="give `control`"):
        Criterion(**GAP_FALLS | {"control": None, "value": 0.1, "gain_over": {"start": "random"}})
