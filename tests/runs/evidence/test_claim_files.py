"""The files of claims are read strictly, cover the articles, and can be answered by their grids."""

import shutil
from pathlib import Path

import pytest

from recsys.runs import paths
from recsys.runs.evidence.claims import ARTICLES, ClaimsError, load_claims
from recsys.runs.evidence.judge import broken_criteria
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.plan import plan
from tests.conftest import ROOT

CLAIMS = ROOT / "experiments" / "claims"
FIRST, SECOND = "000_e79ae3cbaa31c4fc.txt", "004_86a7849869ae01d9.txt"
LOSS = "01_loss_derivation.yaml"
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


@pytest.fixture(scope="module")
def experiments():
    return load_experiments(ROOT / "experiments")


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


def test_experiments_and_claims_name_each_other(committed, experiments):
    for name, experiment in experiments.items():
        assert Path(experiment.notebook).stem in committed.notebooks
        for claim in experiment.claims:
            entry = committed.by_id[claim]
            decided_by = {part.experiment for part in entry.criteria}
            assert not entry.testable or name in {entry.experiment} | decided_by, claim


def test_no_comparison_is_made_twice(committed):
    """A claim that asks what another asks is merged into it."""
    seen = {}
    for claim in committed.claims:
        for one in claim.criteria:
            for part in one.expand():
                asked = part.model_dump(exclude={"setting"}) | {
                    "experiment": part.experiment or claim.experiment,
                    "rule": part.kind or claim.kind,
                }
                key = repr(sorted(asked.items()))
                other = seen.setdefault(key, claim.id)
                # a cost beside a quality may stand in two claims: neither verdict counts the other's
                assert (
                    other == claim.id
                    or asked["rule"] in ("keeps", "faster")
                    or claim.id in ("review-sentiment-tells-satisfaction",)
                ), (claim.id, other)


def test_the_reference_grid_holds_both_sides_of_every_criterion(committed, experiments, tmp_path):
    assert broken_criteria(committed, experiments) == {
        claim: problem
        for claim, problem in broken_criteria(committed, experiments).items()
        if "records the metric" in problem  # recorded beside those that the experiment demands
    }
    grids = {
        name: [run.parameters for run in plan([experiment], "reference", runs=tmp_path)]
        for name, experiment in experiments.items()
    }
    for claim in committed.claims:
        for criterion in (part for one in claim.criteria for part in one.expand()):
            for name, wanted in criterion.sides(claim.experiment).values():
                assert any(wanted.items() <= cell.items() for cell in grids[name]), (claim.id, wanted)


def test_withdrawn_reworded_and_merged_claims_say_why(committed):
    for claim in committed.claims:
        if claim.merged_into:
            assert claim.reworded, claim.id
        if claim.withdrawn:
            assert len(claim.withdrawn) > 60, claim.id


def test_claims_are_short_and_in_english(committed):
    for claim in committed.claims:
        assert len(claim.paraphrase) <= 150, claim.id
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in claim.paraphrase), claim.id


@pytest.fixture
def files(tmp_path):
    for path in CLAIMS.glob("*.yaml"):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path


def edit(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (LOSS, "    paraphrase:", "    parphrase:", r"line \d+: [a-z-]+.parphrase: .*not permitted"),
        (LOSS, "    kind: all\n", "    kind: all\n    kind: gain\n", r'line \d+: .*duplicate key "kind"'),
        (LOSS, "kind: all", "kind: better", r"line \d+: printed-loss-ranks-clicked.kind: .*'gain'"),
        (LOSS, "value: 0.01", 'value: "1e-2"', r"line \d+: worked-case.*value: .*valid number"),
        (LOSS, "value: 0.01", "value: 1e-2", None),
        (LOSS, "id: worked-case-converges", "id: printed-loss-ranks-clicked", "stands twice"),
        (
            LOSS,
            "alternative: less",
            "alternative: smaller",
            r"line \d+: .*: Input should be 'greater' or 'less'",
        ),
        (LOSS, ", alternative: less", "", "a criterion lacks `alternative`"),
        (LOSS, "control: {objective: untrained}", "value: 1, control: {a: 1}", "either `control`"),
        (LOSS, "experiment: 01_loss_derivation", "experiment: 01_los", "no notebook '01_los'"),
        (LOSS, "    kind: all\n", "", "is testable: give `experiment`, `test` and `kind`"),
        (LOSS, "    kind: all\n", '    kind: all\n    withdrawn: "no"\n', "it has no `kind`"),
        (LOSS, "merged_into: [", "merged_into: [who-knows, ", "merged into unknown 'who-knows'"),
        (
            LOSS,
            "merged_into: [",
            "merged_into: [regularisation-reduces-overfitting, ",
            "merged into 'regularisation-reduces-overfitting', which has no verdict of its own",
        ),
        (LOSS, "value: 0.01", "value: .nan", r"line \d+: nan is no finite number"),
        (LOSS, "where: {dataset: planted}", "each: {dataset: []}", "each: dataset needs values"),
        (LOSS, "claims:", "claims:\n\t- x", r"line \d+: not valid YAML"),
        (ARTICLES, "[rules-lose-to-learned, ", "[", "does not list it under 000 §1.1"),
        (ARTICLES, "[rules-lose-to-learned, ", "[rules-lose, rules-lose-to-learned, ", "unknown claim"),
    ],
)
def test_a_mistake_in_the_files_is_named(files, name, old, new, message):
    edit(files / name, old, new)
    if message is None:
        claim = load_claims(files).by_id["worked-case-converges"]
        assert claim.criteria[0].value == 0.01
        return
    with pytest.raises(ClaimsError, match=message) as caught:
        load_claims(files)
    if "line" in message:
        assert name in str(caught.value)


def test_the_line_that_is_named_is_the_right_one(files):
    edit(files / LOSS, "alternative: less", "alternative: smaller")
    lines = (files / LOSS).read_text("utf-8").splitlines()
    right = next(n for n, line in enumerate(lines, 1) if "alternative: smaller" in line)
    with pytest.raises(ClaimsError, match=f"line {right}: "):
        load_claims(files)


def test_a_missing_file_is_named(files):
    (files / ARTICLES).unlink()
    with pytest.raises(ClaimsError, match=f"{ARTICLES} can't be read"):
        load_claims(files)
