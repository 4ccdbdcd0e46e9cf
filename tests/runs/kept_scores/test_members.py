"""Members found among runs, and a clear line where they are not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from recsys.data import sources
from recsys.ensembling.candidate_lists import Identity, Kept
from recsys.runs import paths
from recsys.runs.grid.fingerprint import change_since, dependencies, sha256_of_file
from recsys.runs.kept_scores.members import kept_members
from recsys.runs.kept_scores.scores import ScoresError, found_scores, write_scores
from recsys.runs.record import REQUEST
from tests.runs.kept_scores.test_scores import OWN, lists


def test_members_are_found_by_name_and_their_absence_is_told(tmp_path):
    folder = tmp_path / "09_members" / "one"
    folder.mkdir(parents=True)
    both = dict.fromkeys(("validation", "test"), lists(np.eye(4)))
    write_scores(folder, Kept(OWN, both))
    (found,) = kept_members(["model"], "09_members", OWN, tmp_path)
    assert set(found.lists) == {"validation", "test"}
    with pytest.raises(ScoresError, match="no run of 09_members kept scores of ease on shop"):
        kept_members(["ease"], "09_members", OWN, tmp_path)
    with pytest.raises(ScoresError, match="another split"):
        kept_members(["model"], "09_members", Identity("shop", "c" * 64, "other"), tmp_path)


@pytest.mark.parametrize("spoilt", ["", "{", "{}", '{"profile": "no such"}', "[]"])
def test_a_member_with_a_spoilt_record_is_told(tmp_path, spoilt):
    folder = tmp_path / "09_members" / "one"
    folder.mkdir(parents=True)
    write_scores(folder, Kept(OWN, dict.fromkeys(("validation", "test"), lists(np.eye(4)))))
    (folder / "record.json").write_text(spoilt)
    with pytest.raises(ScoresError, match=r"one/record\.json is damaged"):
        kept_members(["model"], "09_members", OWN, tmp_path)


@pytest.mark.parametrize("first", ["asked for", "another"])
def test_a_run_on_another_split_beside_the_right_one_does_not_stand_in_its_way(tmp_path, first):
    other = Identity("shop", "c" * 64, "other")
    for name, identity in zip("ab", (OWN, other) if first == "asked for" else (other, OWN), strict=True):
        folder = tmp_path / "09_members" / name
        folder.mkdir(parents=True)
        write_scores(folder, Kept(identity, dict.fromkeys(("validation", "test"), lists(np.eye(4)))))
    (found,) = kept_members(["model"], "09_members", OWN, tmp_path)
    assert found.identity == OWN


def kept_by(folder, profile="", value=1.0):
    folder.mkdir(parents=True)
    write_scores(folder, Kept(OWN, dict.fromkeys(("validation", "test"), lists(np.eye(4) * value))))
    if profile:
        (folder / "record.json").write_text(json.dumps({"profile": profile}))


@pytest.mark.parametrize("quick", ["a", "z"])
def test_a_quick_run_beside_the_reference_does_not_stand_in_for_it(tmp_path, quick):
    kept_by(tmp_path / "09_members" / quick, "quick", value=1.0)
    kept_by(tmp_path / "09_members" / "m", "reference", value=5.0)
    (found,) = kept_members(["model"], "09_members", OWN, tmp_path)
    assert found.lists["test"].scores.max() == 5
    kept_by(tmp_path / "09_members" / "n", "reference")
    with pytest.raises(ScoresError, match="2 runs of 09_members kept scores of model on shop, m and n: move"):
        kept_members(["model"], "09_members", OWN, tmp_path)


def test_scores_of_a_run_that_failed_afterwards_are_not_read(tmp_path):
    kept_by(tmp_path / "09_members" / "one.failed")
    assert list(found_scores(tmp_path)) == []
    with pytest.raises(ScoresError, match="no run of 09_members kept scores of model"):
        kept_members(["model"], "09_members", OWN, tmp_path)


def test_members_are_looked_for_beside_the_run_in_progress_then_where_a_repetition_says(
    tmp_path, monkeypatch
):
    kept_by(tmp_path / "elsewhere" / "09_members" / "one")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(paths, "RUNS", tmp_path / "empty")
    with pytest.raises(ScoresError, match=f"in {tmp_path / 'empty'}.*: run it first"):
        kept_members(["model"], "09_members", OWN)
    monkeypatch.setenv("RECSYS_SCORES", str(tmp_path / "elsewhere"))
    assert kept_members(["model"], "09_members", OWN)
    monkeypatch.delenv("RECSYS_SCORES")
    request = tmp_path / "request.json"
    request.write_text(
        json.dumps({"folder": str(tmp_path / "elsewhere" / "09_model_fusion" / ".in-flight-x")})
    )
    monkeypatch.setenv(REQUEST, str(request))
    assert kept_members(["model"], "09_members", OWN)


def test_a_record_says_which_kept_scores_it_read_and_is_out_of_date_when_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "files_read", {})
    run = tmp_path / "09_members" / "one"
    kept_by(run)
    kept_members(["model"], "09_members", OWN, tmp_path)
    key = "scores of 09_members/one/scores_test.npz"
    assert sources.files_read[key] == sha256_of_file(run / "scores_test.npz")
    notebook = paths.NOTEBOOKS / "09_model_fusion.ipynb"
    now = dependencies(notebook, [])
    code = {
        "notebook": {"path": "notebooks/09_model_fusion.ipynb", "sha256": now.notebook_sha256},
        "loaded": [],
    }
    record = {"code": code, "data": dict(sources.files_read), "metrics": {}}
    assert change_since(record, now.provenance, runs=tmp_path) is None
    write_scores(run, Kept(OWN, {"test": lists(np.eye(4) * 2)}))
    assert change_since(record, now.provenance, runs=tmp_path) == f"file {key} changed"
    assert change_since(record, now.provenance) is None, (
        "a committed record does not depend on the reader's runs"
    )


def test_the_same_scores_are_the_same_file(tmp_path):
    kept = Kept(OWN, {"test": replace(lists(np.eye(4)), name="model")})
    assert write_scores(tmp_path, kept) == write_scores(tmp_path, kept)
