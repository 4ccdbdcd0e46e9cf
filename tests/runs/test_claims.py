"""Claims: the files are read strictly, cover the articles, and every verdict follows from records."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from recsys.metrics.significance import paired_bootstrap, paired_permutation_test
from recsys.runs import paths
from recsys.runs.claims import (
    ARTICLES,
    CRITERIA,
    ClaimsError,
    check_states,
    load_claims,
    update_states,
    verdicts,
)
from recsys.runs.experiment import load_experiments
from recsys.runs.plan import plan
from recsys.runs.records import load_records
from tests.conftest import ROOT
from tests.runs.made_records import claims_of, forget_states, make_record, positions

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


BCE_BEATS = {
    "metric": "ndcg@10",
    "treatment": {"objective": "bce"},
    "control": {"objective": "random"},
    "pair": "user",
    "alternative": "greater",
}
GAP_FALLS = {
    "metric": "gap",
    "treatment": {"objective": "l2"},
    "control": {"objective": "bce"},
    "pair": "seed",
    "alternative": "less",
}


def objective(
    folder, name, seeds=(0, 1, 2), mean_rank=None, gaps=None, profile="quick", dataset="demo_store"
):
    """One record for each seed."""
    for seed in seeds:
        make_record(
            folder,
            "01_loss_derivation",
            {"objective": name, "dataset": dataset, "seed": seed},
            metrics=None if gaps is None else {"gap": gaps[seed]},
            ranks=None if mean_rank is None else positions(400, mean_rank, 1000 + seed),
            profile=profile,
        )


def verdict_of(folder, *criteria, **fields):
    return verdicts(claims_of({"decide": list(criteria)} | fields), load_records(folder))[0]


@pytest.mark.parametrize(
    ("bce", "random", "state"), [(5, 60, "supported"), (60, 5, "refuted"), (20, 20, "undecided")]
)
def test_verdict_pairs_users_over_seeds(tmp_path, bce, random, state):
    objective(tmp_path, "bce", mean_rank=bce)
    objective(tmp_path, "random", seeds=(5, 6, 7), mean_rank=random)
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert verdict.state == state
    assert verdict.decisive.n == 400
    assert len(verdict.records) == 6


def test_interval_and_p_value_are_those_of_significance(tmp_path):
    objective(tmp_path, "bce", seeds=(0,), mean_rank=8)
    objective(tmp_path, "random", seeds=(1,), mean_rank=12)
    found = verdict_of(tmp_path, BCE_BEATS).decisive
    records = {record.parameters["objective"]: record for record in load_records(tmp_path)}
    a, b = (
        np.where(r.positions()["better"] < 10, 1 / np.log2(r.positions()["better"] + 2), 0)
        for r in (records["bce"], records["random"])
    )
    expected = paired_bootstrap(a, b, resamples=2000)
    assert (found.effect, found.low, found.high) == pytest.approx(
        (expected.difference, expected.low, expected.high)
    )
    assert found.p_value == pytest.approx(paired_permutation_test(a, b))


@pytest.mark.parametrize(
    ("gaps", "state"),
    [
        ([0.50, 0.52, 0.49], "supported"),
        ([1.50, 1.52, 1.49], "refuted"),
        ([0.2, 1.9, 1.1], "undecided"),
    ],
)
def test_verdict_pairs_seeds_with_a_t_test(tmp_path, gaps, state):
    objective(tmp_path, "l2", gaps=gaps)
    objective(tmp_path, "bce", gaps=[1.0, 1.01, 0.99])
    verdict = verdict_of(tmp_path, GAP_FALLS)
    assert verdict.state == state
    assert verdict.decisive.n == 3


def test_two_seeds_decide_nothing(tmp_path):
    objective(tmp_path, "l2", seeds=(0, 1), gaps=[0.1, 0.1])
    objective(tmp_path, "bce", seeds=(0, 1), gaps=[1.0, 1.01])
    verdict = verdict_of(tmp_path, GAP_FALLS)
    assert (verdict.state, verdict.message) == ("undecided", "2 seeds have both sides; at least 3 are needed")


def test_no_record_no_verdict(tmp_path):
    assert verdict_of(tmp_path, BCE_BEATS).state == "not yet tested"
    objective(tmp_path, "bce", mean_rank=5)
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert (verdict.state, verdict.message) == ("not yet tested", "no record of the control")
    assert verdict_of(tmp_path).message == "01_loss_derivation will decide it"


def test_the_larger_profile_counts_and_profiles_never_mix(tmp_path):
    objective(tmp_path, "bce", mean_rank=60, profile="smoke")
    objective(tmp_path, "random", mean_rank=5, profile="smoke")
    objective(tmp_path, "bce", mean_rank=5, profile="quick")
    assert verdict_of(tmp_path, BCE_BEATS).state == "refuted"  # quick has no control yet
    objective(tmp_path, "random", mean_rank=60, profile="quick")
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert (verdict.state, verdict.decisive.profile) == ("supported", "quick")


def test_two_runs_for_one_seed_are_refused(tmp_path):
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "bce", mean_rank=5, dataset="beauty")
    objective(tmp_path, "random", mean_rank=60)
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert verdict.state == "undecided"
    assert "they differ in dataset" in verdict.message
    assert verdict_of(tmp_path, BCE_BEATS | {"where": {"dataset": "demo_store"}}).state == "supported"


def test_each_place_is_asked_and_mixed_answers_leave_it_open(tmp_path):
    everywhere = BCE_BEATS | {"each": {"dataset": ["demo_store", "beauty", "planted"]}}
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "random", mean_rank=60)
    verdict = verdict_of(tmp_path, everywhere)
    assert verdict.state == "supported"
    assert verdict.message == (
        "supported on dataset=demo_store; not yet tested on dataset=beauty, dataset=planted"
    )
    objective(tmp_path, "bce", mean_rank=60, dataset="beauty")
    objective(tmp_path, "random", mean_rank=5, dataset="beauty")
    verdict = verdict_of(tmp_path, everywhere)
    assert verdict.state == "undecided"
    assert verdict.message.startswith("supported on dataset=demo_store; refuted on dataset=beauty")


def test_one_refuted_criterion_refutes_and_all_are_needed(tmp_path):
    objective(tmp_path, "bce", mean_rank=5, gaps=[1.0, 1.01, 0.99])
    objective(tmp_path, "random", mean_rank=60)
    assert verdict_of(tmp_path, BCE_BEATS, GAP_FALLS).state == "not yet tested"
    objective(tmp_path, "l2", gaps=[1.5, 1.52, 1.49])
    verdict = verdict_of(tmp_path, BCE_BEATS, GAP_FALLS)
    assert verdict.state == "refuted"
    assert verdict.decisive.criterion.metric == "gap"


def test_margins(tmp_path):
    objective(tmp_path, "l2", gaps=[0.96, 0.97, 0.965])
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    keeps = GAP_FALLS | {"alternative": "greater"}
    assert verdict_of(tmp_path, keeps).state == "refuted"
    assert verdict_of(tmp_path, keeps | {"margin": -0.05}).state == "supported"
    assert verdict_of(tmp_path, keeps | {"margin": -0.05, "relative": True}).state == "supported"
    assert verdict_of(tmp_path, keeps | {"margin": -0.01, "relative": True}).state == "refuted"
    assert verdict_of(tmp_path, GAP_FALLS | {"margin": 0.2}).state == "refuted"  # falls, but not by .2


def test_margin_over_users(tmp_path):
    objective(tmp_path, "bce", mean_rank=10)
    objective(tmp_path, "random", mean_rank=10)
    within = BCE_BEATS | {"margin": -0.5, "relative": True}
    assert verdict_of(tmp_path, within).state == "supported"
    assert verdict_of(tmp_path, BCE_BEATS | {"margin": 0.3}).state == "refuted"


def test_a_fixed_value_as_control(tmp_path):
    objective(tmp_path, "l2", gaps=[0.5, 0.52, 0.48])
    against = {k: v for k, v in GAP_FALLS.items() if k != "control"}
    assert verdict_of(tmp_path, against | {"value": 0.9}).state == "supported"
    assert verdict_of(tmp_path, against | {"value": 0.1}).state == "refuted"


def test_differences_without_spread(tmp_path):
    objective(tmp_path, "l2", gaps=[0.5, 0.5, 0.5])
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    verdict = verdict_of(tmp_path, GAP_FALLS)
    assert (verdict.state, verdict.decisive.low, verdict.decisive.high) == ("supported", -0.5, -0.5)


def test_missing_metric_and_ranks_are_said(tmp_path):
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    objective(tmp_path, "random", gaps=[1.0, 1.0, 1.0])
    for criterion, said in (
        (BCE_BEATS, "recorded no rank positions"),
        (BCE_BEATS | {"metric": "hap", "pair": "seed"}, "has no metric 'hap'"),
    ):
        verdict = verdict_of(tmp_path, criterion)
        assert verdict.state == "not yet tested"
        assert said in verdict.message


def test_p_values_are_corrected_over_the_family(tmp_path):
    objective(tmp_path, "l2", gaps=[0.90, 0.95, 0.93])
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    alone = verdict_of(tmp_path, GAP_FALLS)
    assert alone.state == "supported"
    many = verdicts(claims_of(*[{"decide": [GAP_FALLS]}] * 12), load_records(tmp_path))
    assert {verdict.state for verdict in many} == {"undecided"}
    assert many[0].decisive.corrected == pytest.approx(12 * alone.decisive.p_value)


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
