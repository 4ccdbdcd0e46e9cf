"""The files of claims are read strictly, cover the articles, and their states are those of the records."""

import shutil
from pathlib import Path

import pytest
import yaml

from recsys.runs import paths
from recsys.runs.evidence.claims import (
    ARTICLES,
    CRITERIA,
    ClaimsError,
    check_states,
    load_claims,
    update_states,
)
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.plan import plan
from recsys.runs.records import load_records
from tests.conftest import ROOT
from tests.runs.made_records import forget_states, objective

CLAIMS = ROOT / "experiments" / "claims.yaml"
FIRST, SECOND = "000_e79ae3cbaa31c4fc.txt", "004_86a7849869ae01d9.txt"
# The numbered headings of the articles, which are no part of the product.
SHARED_HEADINGS = "2 2.1 3 3.1 3.2 3.3 3.4 4 4.1 4.2 4.3 5 5.1 5.2 5.3 6 6.1 6.2 6.3 6.4 7 7.1 7.2 7.3"
SHARED_HEADINGS += " 8 8.1 8.2 8.3 8.4 9"
HEADINGS = {
    FIRST: {"1", "1.1", *SHARED_HEADINGS.split(), "9 Q1", "9 Q2", "9 Q3"},
    SECOND: {"1", *SHARED_HEADINGS.split(), "9 Q1", "9 Q2", "9 Q3", "9 Q4", "9 Q5"},
}


@pytest.fixture(scope="module")
def committed():
    return load_claims(CLAIMS)


@pytest.mark.parametrize("file", HEADINGS)
def test_every_numbered_section_is_covered(committed, file):
    assert set(committed.sections[file]) == HEADINGS[file]
    for claim in committed.claims:
        assert claim.section in HEADINGS[claim.file], claim.id


@pytest.mark.parametrize("file", HEADINGS)
def test_only_sections_of_advice_or_code_comment_go_without_a_claim(committed, file):
    bare = {s for s, entry in committed.sections[file].items() if isinstance(entry, str) and "." in s}
    assert bare == {"5.1", "5.3", "7.1"}


def test_every_claim_is_listed_by_its_section(committed):
    listed = {
        i for part in committed.sections.values() for e in part.values() if isinstance(e, list) for i in e
    }
    assert listed == set(committed.by_id)


def test_errors_name_sections_that_exist(committed):
    for error in committed.errors:
        files = [error.file] if isinstance(error.file, str) else error.file
        for section in error.section.split(", "):
            assert all(section in HEADINGS[file] for file in files), error.id


def test_an_error_called_shown_has_its_notebook(committed):
    missing = {e.notebook for e in committed.errors if e.shown} - {p.stem for p in paths.NOTEBOOKS.glob("*")}
    assert missing == set()


def test_stored_states_are_those_of_the_committed_records(committed):
    assert check_states(committed, load_records(ROOT / "experiments" / "reference")) == []


def test_experiments_and_claims_name_each_other(committed):
    for name, experiment in load_experiments(ROOT / "experiments").items():
        assert Path(experiment.notebook).stem in committed.notebooks
        for claim in experiment.claims:
            decided_by = {part.experiment for part in committed.by_id[claim].decide}
            assert name in {committed.by_id[claim].experiment} | decided_by, claim


def test_the_reference_grid_holds_both_sides_of_every_criterion(committed, tmp_path):
    experiments = load_experiments(ROOT / "experiments")
    grids = {
        name: [run.parameters for run in plan([experiment], "reference", runs=tmp_path)]
        for name, experiment in experiments.items()
    }
    for claim in committed.claims:
        for criterion in (part for one in claim.decide for part in one.expand()):
            own = criterion.experiment or claim.experiment
            sides = [(own, criterion.treatment)]
            if criterion.control is not None:
                sides.append((criterion.control_experiment or own, criterion.control))
            for name, settings in sides:
                wanted = (criterion.where | settings).items()
                if name in grids and criterion.pair == "seed":
                    assert criterion.metric in experiments[name].metrics, (claim.id, criterion.metric)
                if name in grids:
                    assert any(wanted <= cell.items() for cell in grids[name]), (claim.id, dict(wanted))


@pytest.fixture
def files(tmp_path):
    for name in ("claims.yaml", ARTICLES, CRITERIA):
        shutil.copy(CLAIMS.with_name(name), tmp_path / name)
    forget_states(tmp_path / "claims.yaml")
    return tmp_path


def edit(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("claims.yaml", "paraphrase:", "parphrase:", "rules-lose-to-learned.*parphrase.*not permitted"),
        ("claims.yaml", "{id: learned-hard-to-serve,", "{id: rules-lose-to-learned,", "stands twice"),
        ("claims.yaml", "experiment: 02_bert_fine_tuning", "experiment: 02_birt", "no notebook '02_birt'"),
        ("claims.yaml", "state: not yet tested", "state: proven", "supported"),
        ("claims.yaml", "state: untestable", "state: undecided", "is empirical: give"),
        (ARTICLES, "[rules-lose-to-learned, ", "[", "does not list it under 000 §1.1"),
        (ARTICLES, "[rules-lose-to-learned, ", "[rules-lose, rules-lose-to-learned, ", "unknown claim"),
        (CRITERIA, "printed-loss-ranks-clicked:", "printed-loss:", "no claim 'printed-loss'"),
        (CRITERIA, "control: {objective: untrained}", "value: 1, control: {a: 1}", "either `control`"),
        (CRITERIA, "\nlikelihood-ranks-clicked:", "\n\tlikelihood", "not valid YAML"),
    ],
)
def test_a_mistake_in_the_files_is_named(files, name, old, new, message):
    edit(files / name, old, new)
    with pytest.raises(ClaimsError, match=message):
        load_claims(files / "claims.yaml")


def test_a_missing_file_is_named(files):
    (files / ARTICLES).unlink()
    with pytest.raises(ClaimsError, match=f"{ARTICLES} can't be read"):
        load_claims(files / "claims.yaml")


def test_states_are_checked_and_updated_and_nothing_else_changes(files, tmp_path):
    runs = tmp_path / "reference"
    for dataset in ("planted", "demo_store"):
        objective(runs, "printed", mean_rank=400, dataset=dataset, profile="reference")
        objective(runs, "untrained", mean_rank=40, dataset=dataset, profile="reference")
    reference = load_records(runs)
    path = files / "claims.yaml"
    before = path.read_text(encoding="utf-8")
    complaints = check_states(load_claims(path), reference)
    assert len(complaints) == 1
    assert "printed-loss-ranks-clicked is stored as 'not yet tested'" in complaints[0]
    assert update_states(path, reference) == ["printed-loss-ranks-clicked: not yet tested → refuted"]
    after = path.read_text(encoding="utf-8")
    old = "{id: printed-loss-ranks-clicked, state: not yet tested,"
    assert after == before.replace(old, old.replace("not yet tested", "refuted"))
    assert check_states(load_claims(path), reference) == []
    assert update_states(path, reference) == []
    assert len(check_states(load_claims(path), [])) == 1  # refuted, but no record: named


def test_supported_without_a_criterion_is_an_inconsistency(files):
    path = files / "claims.yaml"
    edit(
        path,
        "{id: rules-lose-to-learned, state: not yet tested",
        "{id: rules-lose-to-learned, state: supported",
    )
    assert "rules-lose-to-learned is stored as 'supported'" in check_states(load_claims(path), [])[0]


def test_claims_are_short_and_in_english():
    raw = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))["claims"]
    for claim in raw:
        assert len(claim["paraphrase"]) <= 150, claim["id"]
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in claim["paraphrase"]), claim["id"]
