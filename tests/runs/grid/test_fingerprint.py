"""What a change to this package makes out of date: exactly the runs that it reaches."""

import json

import pytest

from recsys.code.reach import own_sources
from recsys.encoders.backbone import load_backbone
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.fingerprint import change_since, changed_definitions, dependencies
from tests.conftest import ROOT

OWN = own_sources()
NOTEBOOKS = sorted({ROOT / e.notebook for e in load_experiments(ROOT / "experiments").values()})
EASE = ("tuned baseline/ease", "family of event logs/s3rec")
TEXT = ("next-item model/text", "generated data set/demo_store")


def changed(module, old, new):
    """The package's sources with one module edited."""
    text = OWN(module)
    assert old in text, f"{module} no longer holds {old!r}"
    return lambda name: text.replace(old, new) if name == module else OWN(name)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("loaded", [EASE, TEXT], ids=["ease", "text"])
@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("recsys.baselines.candidates", "    {\n", '    {\n        "new": "recsys.baselines.new:New",\n'),
        ("recsys.models.next_item.registry", "    {\n", '    {\n        "new": "recsys.models.new:NEW",\n'),
        ("recsys.data.families", "    {\n", '    {\n        "new": "recsys.data.logs.new:FAMILY",\n'),
        ("recsys.plots.style", "def use_style", "ANOTHER_COLOUR = '#ff0000'\n\n\ndef use_style"),
        ("recsys.runs.report.pages", "def write_report", "NEW = 1\n\n\ndef write_report"),
    ],
    ids=["a baseline", "a model", "a family", "a colour", "the report"],
)
def test_what_is_new_makes_nothing_out_of_date(notebook, loaded, module, old, new):
    before = dependencies(notebook, list(loaded), OWN).definitions
    assert dependencies(notebook, list(loaded), changed(module, old, new)).definitions == before


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_colours_of_plots_reach_no_number(notebook):
    reached = dependencies(notebook, [*EASE, *TEXT], OWN).definitions
    assert [name for name in reached if name.startswith(("recsys.plots.style", "recsys.runs"))] == []


def used_by(loaded, *modules):
    """What a run of notebook 02 recorded that loaded these lines and imported these modules."""
    return dependencies(NOTEBOOK_02, list(loaded), OWN, imported=set(modules)).definitions


NOTEBOOK_02 = ROOT / "notebooks" / "02_bert_fine_tuning.ipynb"
COMPARISON = "recsys.models.next_item.comparison"
KNOWN = {
    "ease": used_by(EASE, COMPARISON, "recsys.baselines.ease", "recsys.data.logs.s3rec"),
    "text": used_by(TEXT, COMPARISON, "recsys.encoders.pooling"),
}


@pytest.mark.parametrize(
    ("module", "old", "new", "touched"),
    [
        ("recsys.baselines.ease", "    def fit(", "    def fit_(", ["ease"]),
        ("recsys.encoders.pooling", "def pool(", "def pool(extra, ", ["text"]),
        ("recsys.data.logs.s3rec", "FAMILY = ", "FAMILY = 1 and ", ["ease"]),
        ("recsys.models.next_item.comparison", "def fit(", "def fit(extra, ", ["ease", "text"]),
        ("recsys.data.logs.online_retail", "FAMILY = ", "FAMILY = 1 and ", []),
    ],
)
def test_an_edit_touches_exactly_the_runs_that_use_it(module, old, new, touched):
    edited = changed(module, old, new)
    loaded = {"ease": EASE, "text": TEXT}
    now = {run: dependencies(NOTEBOOK_02, list(lines), edited).definitions for run, lines in loaded.items()}
    assert [run for run, recorded in KNOWN.items() if changed_definitions(recorded, now[run])] == touched


def test_a_name_that_stands_for_another_definition_is_noticed():
    before = {"a:f": "111111:222222", "b:g": "222222:", "c:g": "333333:"}
    assert changed_definitions(before, {**before, "d:new": "444444:"}) == []
    moved = {"x:f": "111111:222222,444444", "y:g": "222222:", "z:g": "333333:"}
    assert changed_definitions(before, moved) == []
    assert changed_definitions(before, {**before, "a:f": "111111:333333"}) == ["a.f"], "c.g in place of b.g"
    assert changed_definitions(before, {**before, "a:f": "111111:222223", "b:g": "222223:"}) == ["b.g"]


def test_a_local_models_weights_are_among_what_a_run_read(tmp_path, monkeypatch):
    from recsys.data import sources

    monkeypatch.setattr(sources, "files_read", {})
    load_backbone("random-bert").save(tmp_path / "model")
    load_backbone(str(tmp_path / "model"))
    key = f"weights of {tmp_path / 'model'}/model.safetensors"
    recorded = sources.files_read[key]
    assert sources.current_sha256(key) == recorded
    load_backbone("random-bert", seed=1).save(tmp_path / "model")
    assert sources.current_sha256(key) != recorded


def test_another_version_of_a_package_that_is_used_is_noticed():
    notebook = ROOT / "notebooks" / "00_data_and_splits.ipynb"
    found = dependencies(notebook, EASE)
    code = {"notebook": {"path": "notebooks/00_data_and_splits.ipynb", "sha256": found.notebook_sha256}}
    record = {"code": code | {"loaded": EASE}, "data": {}, "metrics": {}}
    assert "numpy" in found.versions
    assert "matplotlib" not in found.versions
    assert change_since(record, found.provenance) is None
    older = json.loads(json.dumps(found.provenance))
    older["versions"]["numpy"] = "1.0"
    assert change_since(record, older).startswith("numpy is now ")
    older["versions"] = {**found.versions, "matplotlib": "1.0"}
    assert change_since(record, older) is None
    assert change_since(record, None) == "what it was made from is not kept beside it"
