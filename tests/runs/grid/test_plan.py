"""Which runs a command asks for: a profile's grid, or a notebook's own values."""

import pytest

from recsys.runs import paths
from recsys.runs.grid.experiment import load_experiment
from recsys.runs.grid.plan import plan
from tests.conftest import write_notebook

EXPERIMENT = """\
name: 00_shop
notebook: notebooks/00_shop.ipynb
question: Does it sell?
metrics: [score]
primary_metric: score
profiles:
  quick: {cells: [{grid: {rank: [1, 2]}, fixed: {steps: 3}}, {grid: {dataset: [beauty]}, fixed: {steps: 3}}]}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """An experiment whose notebook reads the demo store unless it is told otherwise."""
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    parameters = 'rank: int = 8\nsteps: int = 0\ndataset: str = "demo_store"\nseed: int = 0'
    write_notebook(tmp_path / "notebooks" / "00_shop.ipynb", parameters)
    (tmp_path / "00_shop.yaml").write_text(EXPERIMENT)
    return load_experiment(tmp_path / "00_shop.yaml")


def test_a_cell_that_names_no_data_set_has_the_notebooks(shop, tmp_path):
    shops = {kind: [one.dataset for one in plan([shop], "quick", data=kind)] for kind in ("demo", "real")}
    assert shops == {"demo": ["demo_store", "demo_store"], "real": ["beauty"]}


def test_own_values_are_the_notebooks_but_for_what_is_given(shop, tmp_path):
    given = {"overrides": {"dataset": "my_shop"}, "runs": tmp_path}
    assert [one.parameters["steps"] for one in plan([shop], "quick", **given)] == [3, 3, 3]
    (whole,) = plan([shop], "quick", defaults=True, **given)
    assert whole.parameters == {"rank": 8, "steps": 0, "dataset": "my_shop", "seed": 0}
    assert whole.label == "dataset=my_shop"
    without_this_profile = plan([shop], "full", defaults=True, seeds=[0, 1], runs=tmp_path)
    assert [one.parameters["seed"] for one in without_this_profile] == [0, 1]
