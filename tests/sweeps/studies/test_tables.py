"""Tables that searchers are replayed over: planted, the reader's own sweep, the committed file."""

import pandas as pd
import pytest

from recsys.runs import paths
from recsys.sweeps.arm import Arm
from recsys.sweeps.replay import TableError, replay_methods, replay_metrics
from recsys.sweeps.results import sweep_folder
from recsys.sweeps.spec import Method
from recsys.sweeps.studies import tables
from recsys.training.hyperparameter_search.trial import DONE
from tests.sweeps.conftest import small_spec


def test_the_planted_table_is_whole_and_searchers_end_near_its_best():
    table = tables.load_table("planted")
    assert len(table.epochs) == 72
    replayed = replay_methods(table, 100.0, 2)
    regrets = replay_metrics(replayed, table)
    assert set(regrets) == {
        f"regret_{m}" for m in ("random", "quasi_random", "tpe", "random_asha", "tpe_asha")
    }
    assert all(0 <= regret < 0.3 for regret in regrets.values())
    assert replay_metrics(replay_methods(table, 100.0, 0), table) == {}


def test_a_finished_grid_becomes_a_committed_table(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REFERENCE", tmp_path / "reference")
    with pytest.raises(TableError, match="no table 'small': make it with `recsys sweep small`"):
        tables.load_table("small")
    space = {"x": {"choice": [0.1, 0.2]}, "kind": {"choice": ["round", "flat"]}}
    spec = small_spec(space=space, objectives=[{"metric": "quality"}], budget={"trials": 4})
    arm = Arm(spec, Method(sampler="grid"), 0, sweep_folder("small"))
    while proposed := arm.propose():
        number, settings = proposed
        if number == 3:
            with pytest.raises(TableError, match="3 of 4 combinations"):
                tables.write_table("small")
        arm.report(number, 1, {"quality": settings["x"]}, 0.4)
        arm.end(number, DONE, {"metrics": {"quality": 2 * settings["x"]}, "core_seconds": 0.9})
    committed = pd.read_parquet(tables.write_table("small"))
    assert committed["epoch"].tolist() == [1, 2] * 4
    assert committed.loc[committed["epoch"] == 2, "core_seconds"].tolist() == [0.9] * 4
    assert tables.load_table("small").best == 0.4
