"""The parameter that does all is found, by both measures, with intervals."""

import numpy as np
import pandas as pd
import pytest

from recsys.sweeps.importance import INTERACTIONS, TooFewTrials, importance, importances, share_metrics
from recsys.training.hyperparameter_search.spaces import Choice, Real, Whole

SPACE = {"rate": Real(0.0, 1.0), "idle": Real(0.0, 1.0), "kind": Choice(("a", None))}


def trials(count: int, repeats: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    size = count * repeats
    frame = pd.DataFrame(generator.random((size, 2)), columns=["rate", "idle"])
    frame["kind"] = pd.Series(generator.choice(np.array(["a", None], dtype=object), size), dtype=object)
    frame["q"] = -((frame["rate"] - 0.5) ** 2) + 0.01 * (frame["kind"] == "a")
    return frame.assign(state="done", repeat=np.repeat(np.arange(repeats), count))


@pytest.mark.parametrize("evaluator", ["fanova", "ped_anova"])
def test_what_matters_is_found(evaluator):
    table = importance(trials(80), SPACE, "q", evaluator=evaluator, resamples=4)
    assert table["parameter"].iloc[0] == "rate"
    assert table["importance"].iloc[0] > 0.6
    assert table["importance"].sum() == pytest.approx(1)
    assert (table["low"] <= table["high"]).all()
    assert set(table["over"]) == {"resampled trials"}


def test_repeats_give_the_interval_where_there_are_some():
    table = importance(trials(30, 4), SPACE, "q").set_index("parameter")
    assert set(table["over"]) == {"repeats"}
    assert table.loc["rate", "low"] > table.loc["idle", "high"]


def test_failed_trials_do_not_count_and_too_few_are_refused():
    frame = trials(20)
    frame.loc[5:, "state"] = "failed"
    with pytest.raises(TooFewTrials, match="5 finished trials"):
        importance(frame, SPACE, "q")


def test_the_defaults_alone_have_no_importance(capsys):
    """Found by the grid: a library's defaults name no setting, and the notebook ended with KeyError."""
    alone = trials(20)[["q", "state"]].head(1)
    assert importances(alone, SPACE, "q").empty
    assert "importance needs at least 8" in capsys.readouterr().out


def test_numbers_among_none_are_the_numbers_that_were_tried():
    """A frame turns them into 1.0 and NaN; such trials were once left out without a word."""
    space = {"last": Choice((None, 1, 2)), "k": Whole(1, 9)}
    last = [None, 1, 2] * 8
    frame = pd.DataFrame({"last": last, "k": np.arange(24) % 9 + 1, "state": "done"})
    assert frame["last"].dtype == float
    frame["q"] = [0.0 if value is None else value / 2 for value in last]
    table = importance(frame, space, "q", resamples=2)
    assert table["parameter"].iloc[0] == "last"


def test_interactions_are_no_parameter_s_share():
    """Shares that were made to sum to 1 once said that a product was two main effects."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.random((200, 3)), columns=list("xyz")).assign(state="done")
    frame["q"] = 10 * (frame["x"] - 0.5) * (frame["y"] - 0.5) + 0.3 * (frame["z"] - 0.5)
    space = {name: Real(0.0, 1.0) for name in "xyz"}
    by = [importance(frame, space, "q", evaluator=one, resamples=2) for one in ("fanova", "ped_anova")]
    table = pd.concat(by, ignore_index=True)
    fanova = table[table["evaluator"] == "fanova"].set_index("parameter")
    assert fanova["importance"].drop(INTERACTIONS).max() < 0.15
    assert fanova.loc[INTERACTIONS, "importance"] > 0.6
    assert fanova.index[-1] == INTERACTIONS
    assert fanova["importance"].sum() == pytest.approx(1)
    assert share_metrics(table)["share_interactions"] == fanova.loc[INTERACTIONS, "importance"]
    assert set(table.loc[table["evaluator"] == "ped_anova", "parameter"]) == set("xyz")
