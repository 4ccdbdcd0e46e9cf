import json

import pandas as pd
import pytest

from recsys.runs import paths
from recsys.runs.exercises import check_answers, check_prediction
from tests.conftest import write_notebook
from tests.runs.made_records import make_record


def test_what_is_near_is_right_and_what_is_open_stays_hidden():
    found = check_answers([100.9, 2.0, None], [100.0, 3.0, 5.0])
    assert found["verdict"].tolist() == ["right", "not yet", "no answer yet"]
    assert found["right"].isna().tolist() == [False, False, True]
    assert found.index.tolist() == [1, 2, 3]
    assert check_answers([100.9], [100.0], within=0.001, names=["a"]).loc["a", "verdict"] == "not yet"
    with pytest.raises(ValueError, match="1 answers to 2 exercises"):
        check_answers([1.0], [1.0, 2.0])


def _run(runs, name, metrics, started="2026-01-01T00:00:00Z", **parameters):
    """A whole record of 01_loss, made at that time."""
    record = make_record(runs, "01_loss", parameters, metrics)
    raw = record.raw | {"started": started}
    (record.folder / "record.json").write_text(json.dumps(raw))
    record.folder.rename(record.folder.with_name(name))


def test_a_prediction_is_held_against_the_readers_own_newest_run(project, monkeypatch):
    runs = project / "experiments" / "runs"
    for name, folder in (("PROJECT", project), ("EXPERIMENTS", project / "experiments"), ("RUNS", runs)):
        monkeypatch.setattr(paths, name, folder)
    write_notebook(project / "notebooks" / "01.ipynb", 'objective: str = "bce"\nsteps: int = 150')
    facts = {"name": "01_loss", "notebook": "notebooks/01.ipynb", "question": "Which?", "metrics": ["mrr"]}
    facts |= {"primary_metric": "mrr", "profiles": {"quick": {"cells": [{}]}}}
    (project / "experiments" / "01_loss.yaml").write_text(json.dumps(facts))
    asked = ("01_loss", "ndcg@10", {"objective": "bpr"}, {"objective": "softmax"})
    assert check_prediction(None, *asked)["verdict"].tolist() == ["predict first"]
    told = check_prediction(0.5, *asked)["verdict"].iloc[0]
    command = "recsys run 01_loss --defaults -p objective="
    assert told == f"run it: {command}bpr; {command}softmax"
    _run(runs, "a", {"ndcg@10": 0.1}, objective="bpr", steps=150)
    _run(runs, "b", {"ndcg@10": 0.2}, objective="softmax", steps=150)
    later = {"started": "2026-01-02T00:00:00Z"}
    _run(runs, "c", {"ndcg@10": 0.9}, objective="bpr", steps=20, **later)  # such as the quick grid's
    found = check_prediction(0.55, *asked).iloc[0]
    assert found["recorded"] == pytest.approx(0.5)
    assert found["verdict"].startswith("within")
    assert pd.isna(check_prediction(None, *asked)["recorded"].iloc[0]), "predict before you look"
    _run(runs, "d", {"ndcg@10": 0.4}, started="2026-01-03T00:00:00Z", objective="bpr", steps=150)
    assert check_prediction(0.5, *asked)["verdict"].iloc[0].startswith("off by")
    with pytest.raises(ValueError, match="recorded no 'mrr'"):
        check_prediction(1.0, "01_loss", "mrr", {"objective": "bpr"})
