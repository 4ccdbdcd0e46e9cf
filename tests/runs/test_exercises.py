import json

import pandas as pd
import pytest

from recsys.runs import paths
from recsys.runs.exercises import check_answers, check_prediction
from tests.runs.made_records import make_record


def test_what_is_near_is_right_and_what_is_open_stays_hidden():
    found = check_answers([100.9, 2.0, None], [100.0, 3.0, 5.0])
    assert found["verdict"].tolist() == ["right", "not yet", "no answer yet"]
    assert found["right"].isna().tolist() == [False, False, True]
    assert found.index.tolist() == [1, 2, 3]
    assert check_answers([100.9], [100.0], within=0.001, names=["a"]).loc["a", "verdict"] == "not yet"
    with pytest.raises(ValueError, match="1 answers to 2 exercises"):
        check_answers([1.0], [1.0, 2.0])


def _run(runs, name, metrics, profile="quick", started="2026-01-01T00:00:00Z", **parameters):
    """A whole record of 01_loss, made at that time."""
    record = make_record(runs, "01_loss", parameters | {"name": name}, metrics, profile=profile)
    raw = record.raw | {"started": started}
    (record.folder / "record.json").write_text(json.dumps(raw))


def test_a_prediction_is_held_against_the_readers_own_newest_run(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    asked = ("01_loss", "ndcg@10", {"objective": "bpr"}, {"objective": "softmax"})
    assert check_prediction(None, *asked)["verdict"].tolist() == ["predict first"]
    told = check_prediction(0.5, *asked)["verdict"].iloc[0]
    assert told == "run it: recsys run 01_loss -p objective=bpr; recsys run 01_loss -p objective=softmax"
    _run(tmp_path, "a", {"ndcg@10": 0.1}, objective="bpr", seed=0)
    _run(tmp_path, "b", {"ndcg@10": 0.2}, objective="softmax", seed=0)
    later = {"started": "2026-01-02T00:00:00Z"}
    _run(tmp_path, "c", {"ndcg@10": 0.9}, profile="smoke", objective="bpr", **later)
    found = check_prediction(0.55, *asked).iloc[0]
    assert found["recorded"] == pytest.approx(0.5)
    assert found["verdict"].startswith("within")
    assert pd.isna(check_prediction(None, *asked)["recorded"].iloc[0]), "predict before you look"
    _run(tmp_path, "d", {"ndcg@10": 0.4}, started="2026-01-03T00:00:00Z", objective="bpr")
    assert check_prediction(0.5, *asked)["verdict"].iloc[0].startswith("off by")
    with pytest.raises(ValueError, match="recorded no 'mrr'"):
        check_prediction(1.0, "01_loss", "mrr", {"objective": "bpr"})
