"""What the runs of a criterion measured: rare targets alone, lists in any order, gains over starts."""

import numpy as np
import pandas as pd
import pytest

from tests.runs.evidence.statistics.test_examination import BCE_BEATS, found
from tests.runs.made_records import make_record


def ranks(of_rare: int, of_frequent: int) -> pd.DataFrame:
    """40 users, half of them with a target that training saw twice, half with one that it saw 50 times."""
    rare = np.arange(40) < 20
    better = np.where(rare, of_rare, of_frequent)
    table = pd.DataFrame({"user": np.arange(40), "item": np.arange(40), "better": better, "equal": 0})
    return table.assign(train_count=np.where(rare, 2, 50))


def test_rare_targets_alone(tmp_path):
    settings = BCE_BEATS | {"treatment": {"model": "zero_shot"}, "control": {"model": "ease"}}
    make_record(tmp_path, "02_x", {"model": "zero_shot"}, ranks=ranks(of_rare=0, of_frequent=9))
    make_record(tmp_path, "02_x", {"model": "ease"}, ranks=ranks(of_rare=9, of_frequent=0))
    everything = found(tmp_path, "gain", settings, "02_x")
    rare = found(tmp_path, "gain", settings | {"seen_at_most": 3}, "02_x")
    assert (everything.n, rare.n) == (40, 20)
    assert everything.effect == pytest.approx(0)
    assert rare.effect == pytest.approx(1 - 1 / np.log2(11))
    assert rare.place == "items bought at most 3 times in training"


def test_lists_are_units_whichever_order_they_come_in(tmp_path):
    asked = {"metric": "fast:difference", "treatment": {"threads": 1}, "value": 0.0, "pair": "list"}
    asked |= {"alternative": "greater"}
    worse = np.random.default_rng(0).normal(-0.02, 0.02, 200)
    for seed in range(3):
        folder = make_record(tmp_path, "05_x", {"threads": 1, "seed": seed}).folder
        if seed == 2:
            missing = found(tmp_path, "keeps", asked, "05_x")
            assert missing.state == "invalid"
            assert "recorded no 'fast:difference' for each list" in missing.message
        order = np.random.default_rng(seed).permutation(200)
        lists = pd.DataFrame({"list": order, "fast:difference": worse[order]})
        lists.to_parquet(folder / "lists.parquet")
    finding = found(tmp_path, "keeps", asked, "05_x")
    assert (finding.n, finding.effect) == (200, pytest.approx(worse.mean()))
    assert finding.high - finding.low == pytest.approx(2 * 1.97 * worse.std() / np.sqrt(200), rel=0.02)
    assert finding.state == "refuted"


def test_lists_of_two_runs_are_paired(tmp_path):
    asked = {"metric": "diversity@10", "treatment": {"side": "both"}, "control": {"side": "text"}}
    asked |= {"pair": "list", "alternative": "greater"}
    noise = np.random.default_rng(0).normal(0, 0.2, 300)
    for side, more in (("both", 0.1), ("text", 0.0)):
        folder = make_record(tmp_path, "04_x", {"model": "ease", "side": side}).folder
        order = np.random.default_rng(len(side)).permutation(300)
        lists = pd.DataFrame({"list": order, "diversity@10": (0.5 + noise + more)[order]})
        lists.to_parquet(folder / "lists.parquet")
    finding = found(tmp_path, "gain", asked, "04_x")
    assert finding.n == 300
    assert finding.effect == pytest.approx(0.1)
    assert finding.high - finding.low < 1e-6, "what both share cancels, user by user"
    assert finding.line == pytest.approx(0.02 * (0.5 + noise.mean()))
    assert finding.state == "supported"


def test_gains_over_each_sides_own_start(tmp_path):
    settings = {"metric": "accuracy", "treatment": {"share": "few"}, "control": {"share": "many"}}
    settings |= {"where": {"start": "pretrained"}, "gain_over": {"start": "random"}, "pair": "seed"}
    settings |= {"alternative": "greater"}
    scores = {("few", "pretrained"): 0.5, ("few", "random"): 0.1, ("many", "pretrained"): 0.9}
    for seed in range(3):
        for (share, start), score in scores.items():
            parameters = {"share": share, "start": start, "seed": seed}
            make_record(tmp_path, "02_x", parameters, {"accuracy": score + 0.1 * seed})
    finding = found(tmp_path, "gain", settings, "02_x")
    assert (finding.state, finding.message) == (
        "not yet tested",
        "no record of the control's start (start=pretrained)",
    )
    for seed in range(3):
        parameters = {"share": "many", "start": "random", "seed": seed}
        make_record(tmp_path, "02_x", parameters, {"accuracy": 0.8})
    finding = found(tmp_path, "gain", settings, "02_x")
    # the control's gains are .1, .2, .3; the treatment's always .4
    assert finding.effect == pytest.approx(0.2)
    assert len(finding.runs) == 12


@pytest.mark.parametrize(("hits", "decides"), [(3, False), (40, True)])
def test_a_score_at_its_floor_decides_nothing(tmp_path, hits, decides):
    """2,000 users whom both sides miss, but for a few: the interval is as narrow as if nothing differed."""
    for model in ("zero_shot", "ease"):
        better = np.where(np.arange(2000) < hits, 0, 50)
        table = pd.DataFrame({"user": np.arange(2000), "item": np.arange(2000), "better": better, "equal": 0})
        make_record(tmp_path, "02_x", {"model": model}, ranks=table)
    finding = found(
        tmp_path,
        "gain",
        BCE_BEATS | {"treatment": {"model": "zero_shot"}, "control": {"model": "ease"}},
        "02_x",
    )
    assert (finding.state == "refuted") is decides
    if not decides:
        assert finding.state == "undecided"
        assert "only 3 of 2000 users score other than 0" in finding.message


def test_lists_that_all_say_the_same_hold_no_level(tmp_path):
    """Six of six surges caught: the interval [1, 1] was above .9; an exact one reaches down to .54."""
    asked = {"metric": "share_caught_x3", "treatment": {"side": "both"}, "value": 0.9}
    asked |= {"pair": "list", "alternative": "greater"}
    for seed in range(3):
        folder = make_record(tmp_path, "14_x", {"side": "both", "seed": seed}).folder
        pd.DataFrame({"list": range(6), "share_caught_x3": 1.0}).to_parquet(folder / "lists.parquet")
    finding = found(tmp_path, "level", asked, "14_x")
    assert finding.state == "undecided"
    assert finding.message == "all 6 lists gave the same value: its spread is not known"
