"""The verdict table: what the committed records say about each claim, and whether the reader's runs agree."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from recsys.runs.evidence.claims import CLAIM_STATES, Claim, Verdict
from recsys.runs.evidence.criterion import Finding
from recsys.runs.report.numbers import number, p_value, setting

DECIDED = ("supported", "refuted", "undecided")


@dataclass(frozen=True)
class VerdictRow:
    """One claim with both verdicts and how the second relates to the first."""

    claim: Claim
    reference: Verdict
    own: Verdict
    agreement: str
    tone: str  # good | bad | open | none: the colour of `agreement`

    @property
    def shown(self) -> Verdict:
        """The verdict whose effect is drawn: the reference's, else the reader's."""
        return self.reference if self.reference.decisive else self.own


def verdict_rows(reference: list[Verdict], own: list[Verdict]) -> list[VerdictRow]:
    """Pair the verdicts by claim."""
    mine = {verdict.claim.id: verdict for verdict in own}
    rows = []
    for verdict in reference:
        other = mine[verdict.claim.id]
        rows.append(VerdictRow(verdict.claim, verdict, other, *agreement(verdict.state, other.state)))
    return rows


def agreement(reference: str, own: str) -> tuple[str, str]:
    """How the reader's runs relate to the committed verdict, in words and as a tone."""
    if own not in DECIDED:
        return "did not test it", "none"
    if reference not in DECIDED:
        return f"{own}, with no committed record beside it", "open"
    if own == reference:
        return "agrees", "open" if own == "undecided" else "good"
    if {own, reference} == {"supported", "refuted"}:
        return f"disagrees: {own}", "bad"
    if own == "undecided":
        return "leaves it open", "open"
    return f"says {own}", "open"


def counts(rows: list[VerdictRow]) -> dict[str, int]:
    """Claims by the state that the committed records give, every state named."""
    found = Counter(row.reference.state for row in rows)
    return {state: found[state] for state in CLAIM_STATES}


def effect(finding: Finding) -> tuple[str, str]:
    """The difference, and its interval, line and corrected p-value, in words."""
    if not math.isfinite(finding.effect):
        return finding.message, ""
    sign = "+" if finding.effect > 0 else ""
    line = f", line at {number(finding.line, 3)}" if finding.line else ""
    return (
        f"{finding.criterion.metric} {sign}{number(finding.effect, 3)}",
        f"[{number(finding.low, 3)}, {number(finding.high, 3)}]{line}, {p_value(finding.corrected)}",
    )


def sides(finding: Finding) -> str:
    """What was compared with what, where, and over how many pairs."""
    criterion = finding.criterion
    treatment, control = criterion.treatment, criterion.control
    if control is None:
        text = f"{_settings(treatment)} against {number(criterion.value)}"
    elif list(treatment) == list(control) and len(control) == 1 and _words(treatment, control):
        # one name, and its values say enough
        text = f"{setting(*treatment.values())} against {setting(*control.values())}"
    else:
        text = f"{_settings(treatment)} against {_settings(control)}"
    # what a model is left to choose by itself need not be said here: "How it was decided" lists all
    said = {name: value for name, value in criterion.where.items() if value not in ("", "none", 0)}
    places = [v if isinstance(v, str) else f"{name}={setting(v)}" for name, v in said.items()]
    return ", ".join(
        [text, *places, *([f"{finding.n:,}\N{NO-BREAK SPACE}{criterion.pair}s"] if finding.n else [])]
    )


def _words(*sides: dict[str, Any]) -> bool:
    return all(isinstance(value, str) and value for side in sides for value in side.values())


def _settings(parameters: dict[str, Any]) -> str:
    told = (f"{name}={setting(value) or repr(value)}" for name, value in parameters.items())
    return ", ".join(told) or "the same runs"


def interval_picture(finding: Finding, width: int = 132, height: int = 16) -> Markup:
    """The interval against the line it must pass, as a small drawing; the words beside it say the same."""
    values = [finding.low, finding.high, finding.line, finding.effect]
    if not all(map(math.isfinite, values)):
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{6 + (width - 12) * (value - low) / span:.1f}"

    middle = height / 2
    return Markup(
        '<svg class="interval" viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-hidden="true">'
        '<line class="line" x1="{line}" y1="0" x2="{line}" y2="{h}"/>'
        '<line class="range" x1="{low}" y1="{m}" x2="{high}" y2="{m}"/>'
        '<circle cx="{at}" cy="{m}" r="4"/></svg>'
    ).format(
        w=width,
        h=height,
        m=middle,
        line=x(finding.line),
        low=x(finding.low),
        high=x(finding.high),
        at=x(finding.effect),
    )
