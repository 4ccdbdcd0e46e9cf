"""Power before running: what a grid can detect, from an earlier record's spread."""

import numpy as np
import pytest
from rich.console import Console

from recsys.metrics.detectable import detectable
from recsys.runs import paths
from recsys.runs.evidence import power_command as command
from recsys.runs.evidence.claims import ClaimsError, load_claims
from recsys.runs.evidence.power import power_of
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.records import load_records
from tests.conftest import ROOT
from tests.runs.made_records import claims_of

EXPERIMENTS = load_experiments(ROOT / "experiments")
LOSS = "01_loss_derivation"
BASE = {"metric": "ndcg@10", "control": {"objective": "softmax"}, "pair": "user", "alternative": "greater"}


@pytest.fixture(scope="module")
def records():
    found = load_records(ROOT / "experiments" / "reference", LOSS)
    return [r for r in found if r.parameters["dataset"] == "demo_store"]


def powers(records, *criteria, kind="keeps"):
    asked = [BASE | {"where": {"dataset": "demo_store"}} | one for one in criteria]
    claims = claims_of(*({"criteria": [one], "kind": kind} for one in asked))
    return power_of(EXPERIMENTS[LOSS], claims, records, EXPERIMENTS)


def test_its_own_records_give_the_spread(records):
    (one,) = powers(records, {"treatment": {"objective": "bce"}})
    assert one.spread_from == "its own records"
    assert one.seeds == 3
    control = [r.metrics["ndcg@10"] for r in records if r.parameters["objective"] == "softmax"]
    assert one.line == pytest.approx(max(0.02 * np.mean(control), 0.0005))
    assert one.decides == (one.detectable <= one.line)


def test_another_comparison_stands_for_one_that_never_ran(records):
    known, new = powers(records, {"treatment": {"objective": "bce"}}, {"treatment": {"objective": "bpr"}})
    assert known.spread_from == "its own records"
    assert new.spread_from == "claim-0, dataset=demo_store"
    assert new.seeds == 0  # the reference grid has no bpr on the demo store
    with_beauty = powers([], {"treatment": {"objective": "bce"}})[0]
    assert (with_beauty.detectable, with_beauty.decides) == (None, None)


def test_more_seeds_detect_less(records):
    """As many as said are enough, one fewer are not."""
    (one,) = powers(records, {"treatment": {"objective": "bce"}}, kind="gain")
    if one.seeds_needed is None:
        assert one.decides is False
        assert one.units_needed is None or one.units_needed > 1000
    else:
        assert one.decides == (one.seeds_needed <= 3)
    assert one.detectable > 0


def test_what_is_detectable_is_that_of_the_estimate(records):
    from recsys.runs.evidence.statistics.criterion import Criterion, Records
    from recsys.runs.evidence.statistics.examination import examine
    from recsys.runs.evidence.statistics.policy import load_policy

    asked = BASE | {"where": {"dataset": "demo_store"}, "treatment": {"objective": "bce"}}
    finding = examine(Criterion(**asked), "keeps", LOSS, Records(records), load_policy())
    (one,) = powers(records, {"treatment": {"objective": "bce"}})
    assert one.detectable == pytest.approx(detectable(finding.estimate.with_numbers(seeds=3), 0.05, 0.8))


def test_the_command_names_what_cannot_be_decided(monkeypatch):
    monkeypatch.setattr(paths, "EXPERIMENTS", ROOT / "experiments")
    console = Console(width=200, record=True)
    command.power_command(console, "02_text_ablations", "reference")
    text = console.export_text()
    assert "May stay undecided, as a true effect of zero could not be told from the line" in text
    assert "self-supervision-saves-labels" in text
    command.power_command(console, "00", "reference")
    assert "no claim's criterion reads it" in console.export_text()


def test_no_claim_or_metric_is_cut_off_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setattr(paths, "EXPERIMENTS", ROOT / "experiments")
    console = Console(width=80, record=True)
    command.power_command(console, "02_text_ablations", "reference")
    table = console.export_text().partition("May stay undecided")[0]
    assert "…" not in table
    assert "self-supervision" in table
    assert max(map(len, table.splitlines())) <= 80


def test_every_experiment_that_tests_a_claim_can_be_asked():
    claims = load_claims(ROOT / "experiments" / "claims")
    for experiment in EXPERIMENTS.values():
        found = power_of(experiment, claims, [], EXPERIMENTS)
        assert {claim.id for claim in claims.claims if claim.id in experiment.claims} <= {
            one.claim.id for one in found
        } | {claim.id for claim in claims.claims if not claim.criteria}


def test_a_broken_criterion_is_refused_before_anything_is_computed(monkeypatch):
    claims = claims_of({"criteria": [BASE | {"treatment": {"objectif": "bce"}}]})
    monkeypatch.setattr(paths, "EXPERIMENTS", ROOT / "experiments")
    monkeypatch.setattr(command, "load_claims", lambda: claims)
    with pytest.raises(ClaimsError, match="objectif"):
        command.power_command(Console(), "01", "reference")
