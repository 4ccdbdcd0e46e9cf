"""What a notebook may answer with, and what is kept of it: one record, plain names, a reason in few lines."""

import json

import pandas as pd
import pytest

from recsys.runs import record as module
from recsys.runs.execution.failures import MOST_LINES, MOST_OF_LINE, MOST_OF_REASON, RunFailed
from recsys.runs.record import REQUEST, RecordError, record

TABLE = pd.DataFrame({"user": [0], "item": [0], "better": [0], "equal": [0]})


def test_a_failure_s_words_are_cut_and_can_be_printed():
    failed = RunFailed("x" * 20_000_000, 3, "code", "\n".join(["half \udcff " + "y" * 10**6] * 1_000))
    assert str(failed).endswith(" ... (20,000,000 characters)")
    assert len(str(failed)) < MOST_OF_REASON + 50
    lines = failed.trace.splitlines()
    assert len(lines) == MOST_LINES
    assert all(len(line) < MOST_OF_LINE + 50 for line in lines)
    assert failed.trace.encode()
    assert str(RunFailed("half \udcff")) == "half ?"
    assert (str(RunFailed("short")), RunFailed("short").trace) == ("short", "")


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Function: call record(...) as a kernel does under the runner."""
    ask = {"parameters": {}, "metrics": [], "experiment": "00_x", "run": "one", "profile": "quick"}
    ask |= {"threads": 1, "notebook": "notebooks/00_x.ipynb", "code": {}, "started_ns": 2**62}
    (tmp_path / "request.json").write_text(json.dumps(ask | {"folder": str(tmp_path)}))
    monkeypatch.setenv(REQUEST, str(tmp_path / "request.json"))
    monkeypatch.setattr(module, "_parameters_used", lambda asked: {})
    return lambda *arguments, **options: record(*arguments, **options)


def test_a_second_call_is_refused_and_the_first_result_stays(recorded, tmp_path):
    recorded({"score": 1.0}, TABLE)
    with pytest.raises(RecordError, match=r"record\(\.\.\.\) is called twice"):
        recorded({"score": 2.0})
    whole = json.loads((tmp_path / "record.json").read_text())
    assert whole["metrics"] == {"score": 1.0}
    assert list(whole["files"]) == ["ranks.parquet"]


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        (({3: 1.0},), {}, "a metric's name is a text, got 3"),
        (({None: 1.0},), {}, "a metric's name is a text, got None"),
        (({"score": 1.0},), {"notes": 3}, "notes are a text, got int"),
        (({"score": 1.0}, TABLE), {"tables": {"ranks": TABLE}}, "the table 'ranks' is given twice"),
        (({"score": 1.0},), {"tables": {"../outside": TABLE}}, "a table's name becomes that of a file"),
        (({"score": 1.0},), {"tables": {"": TABLE}}, "a table's name becomes that of a file"),
        (({"score": 1.0},), {"tables": {".hidden": TABLE}}, "a table's name becomes that of a file"),
        (({"score": float("inf")},), {}, "metric 'score' is inf"),
    ],
)
def test_what_no_record_can_hold_is_refused_before_anything_is_written(
    recorded, tmp_path, arguments, options, told
):
    with pytest.raises(RecordError, match=told):
        recorded(*arguments, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["request.json"]
