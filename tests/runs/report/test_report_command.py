"""What `recsys report` prints: the table fits a terminal, its totals add up, and it says where to read on."""

import io
import re

import pytest
from rich.console import Console

from recsys.runs import paths
from recsys.runs.evidence.verdicts import verdicts
from recsys.runs.report import command
from recsys.runs.report.verdicts import totals, verdict_rows
from tests.runs.made_records import experiment
from tests.runs.report.conftest import CLAIMS, EXPERIMENT


@pytest.fixture
def printed(base, tmp_path, monkeypatch):
    """Runs the command on the small records of the fixture `base`, at a given width; returns its lines."""
    monkeypatch.setattr(paths, "REFERENCE", base / "reference")
    monkeypatch.setattr(command, "load_claims", lambda: CLAIMS)
    monkeypatch.setattr(command, "load_experiments", lambda: {EXPERIMENT: experiment()})
    # the small records belong to no grid of a notebook that exists
    monkeypatch.setattr(command, "judge", lambda claims, records, *_, **__: verdicts(claims, records))
    monkeypatch.setattr(command, "histories", lambda *judged: {})
    monkeypatch.setattr(command, "standing", lambda *sets: [{} for _ in sets])

    def run(width, runs="runs"):
        console = Console(file=io.StringIO(), width=width, highlight=False)
        command.report_command(console, tmp_path / "site", base / runs)
        return console.file.getvalue().splitlines()

    return run


@pytest.mark.parametrize("width", [80, 200])
def test_table_and_totals_fit_the_terminal(printed, width):
    lines = printed(width)
    assert lines[-1].startswith("Report: ")  # a path may be longer: it is there to be copied whole
    assert max(map(len, lines[:-1])) <= width
    text = " ".join(" ".join(lines).split())
    assert "4 claims of the articles by the committed records: 1 supported, 1 refuted, 0 undecided, " in text
    assert "1 not yet tested, 1 untestable." in text
    assert "Your own runs test 2 of them: 2 agree, 0 contradict the committed verdict" in text
    assert "Not in the table: the 2 that no record tests yet" in text
    assert "How to read a verdict: README.md" in text


def test_without_own_runs_it_says_so(printed, base):
    (base / "nothing").mkdir()
    assert "Your own runs test none of them yet." in printed(200, runs="nothing")


def test_totals_count_every_claim_once():
    class Verdict:
        def __init__(self, claim, state):
            self.claim, self.state, self.records = claim, state, ()

    states = [
        *[("supported", "supported"), ("supported", "refuted"), ("refuted", "undecided")],
        *[("undecided", "supported"), ("undecided", "undecided"), ("not yet tested", "refuted")],
        *[("untestable", "untestable"), ("merged", "merged"), ("withdrawn", "withdrawn")],
    ]
    claims = [type("Claim", (), {"id": str(number)})() for number in range(len(states))]
    rows = verdict_rows(
        *([Verdict(claim, pair[side]) for claim, pair in zip(claims, states, strict=True)] for side in (0, 1))
    )
    committed, own = totals(rows)
    assert sum(map(int, re.findall(r"(\d+) [a-z]", committed.partition(":")[2]))) == len(rows)
    assert own.startswith("Your own runs test 6 of them: 2 agree, 1 contradict")
    assert ", 3 decide what it leaves open" in own
