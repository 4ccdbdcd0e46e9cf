"""What power said before a grid ran is kept, holds for the grid of today, and is not written afterwards."""

import json

import pytest
from rich.console import Console

from recsys.runs import paths
from recsys.runs.evidence import power_statement as statements
from recsys.runs.grid.experiment import load_experiments

STATED = sorted((paths.EXPERIMENTS / "power").glob("*.json"))
ASKED = ("claim", "metric", "where", "seeds")


@pytest.mark.parametrize("path", STATED, ids=lambda path: path.stem)
def test_a_statement_is_of_the_grid_and_the_criteria_of_today(path):
    """Cut a grid, or reword a criterion, and it has to be stated anew: recsys power NAME --state."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["experiment"] == path.stem
    now = statements.criteria(statements.found_now(load_experiments()[path.stem], whole["profile"]))
    assert [{k: one[k] for k in ASKED} for one in whole["criteria"]] == [
        {k: one[k] for k in ASKED} for one in now
    ]
    assert {one["decides"] for one in whole["criteria"]} <= {"yes", "no", "unknown"}


def test_every_experiment_of_notebook_06_that_decides_a_claim_has_one():
    decides = [e.name for e in load_experiments().values() if e.name.startswith("06_") and e.claims]
    assert set(decides) <= {path.stem for path in STATED}
    assert len(statements.power_stated(*decides)) >= len(decides)


def test_nothing_is_stated_after_the_fact(tmp_path, monkeypatch):
    monkeypatch.setattr(statements, "statement_path", lambda name: tmp_path / f"{name}.json")
    with pytest.raises(statements.TooLate, match="01_loss_derivation has committed records"):
        statements.state_power(Console(quiet=True), "01_loss_derivation", "reference")
    assert list(tmp_path.iterdir()) == []
    assert statements.power_stated("nothing").empty
