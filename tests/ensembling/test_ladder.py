"""The ladder's stacks, and two small rungs of it on the demo store."""

import pandas as pd
import pytest

from recsys.ensembling.budget import Budget
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.ladder import STEPS, Rung, climb, contributions, stacks
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.model_settings import ModelSettings


def test_a_ladder_has_its_ground_each_step_alone_and_all_added():
    found = stacks()
    assert found[0] == ()
    assert ("pretrained", "fine_tuned") in found
    assert STEPS in found
    assert len({frozenset(steps) for steps in found}) == len(found)
    turned = ("tuning", "fusion", "fresh_state", "pretrained", "fine_tuned")
    assert turned in stacks(turned)
    for wrong in (("fine_tuned",), ("fine_tuned", "pretrained"), ("magic",), ("fusion", "fusion")):
        with pytest.raises(EnsembleError):
            stacks(wrong)


def test_contributions_compare_rungs_that_differ_in_one_step():
    def rung(steps, value, seconds):
        return Rung(steps, pd.DataFrame(), {"ndcg@10": value, "fit_seconds": seconds})

    rungs = [rung((), 0.1, 1), rung(("fusion",), 0.15, 3), rung(("pretrained",), 0.2, 4)]
    rungs.append(rung(("pretrained", "fusion"), 0.22, 6))
    table = contributions(rungs).set_index(["step", "after"])
    assert table.loc[("fusion", "the ground"), "gain"] == pytest.approx(0.05)
    assert table.loc[("fusion", "pretrained"), "gain"] == pytest.approx(0.02)
    assert table.loc[("pretrained", "fusion"), "seconds"] == 3
    assert len(table) == 4


def test_rungs_run_and_a_fresh_state_changes_the_lists():
    data = load_next_item("demo_store")
    settings = ModelSettings(trials=1, settings={"max_steps": 2}, judged_users=50)
    stale = climb((), data, settings)
    fresh = climb(("fresh_state", "fusion"), data, settings, Budget(calls=10, rows=200))
    assert fresh.steps == ("fresh_state", "fusion")
    assert set(fresh.metrics) == set(stale.metrics)
    assert fresh.metrics["ndcg@10"] > stale.metrics["ndcg@10"]
    with pytest.raises(EnsembleError, match="no steps that go together"):
        climb(("fine_tuned",), data, settings)
