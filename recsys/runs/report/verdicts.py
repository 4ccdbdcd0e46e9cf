"""The verdict table: the committed verdict on each claim, and whether the reader's runs agree."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from recsys.runs.evidence.claims import CLAIM_STATES, Claim
from recsys.runs.evidence.deciding import would_decide
from recsys.runs.evidence.preregistration import History
from recsys.runs.evidence.statistics.examination import Finding
from recsys.runs.evidence.verdicts import Verdict
from recsys.runs.report.numbers import number, p_value, setting

DECIDED = ("supported", "refuted", "undecided")


@dataclass(frozen=True)
class VerdictRow:
    """One claim with both verdicts and whether they agree."""

    claim: Claim
    reference: Verdict
    own: Verdict
    agreement: str
    tone: str  # good | bad | open | none: the colour of `agreement`
    history: History | None = None  # of the reference's verdict
    aged: str = ""  # how many of the reference's records are older than their code, in words
    own_aged: str = ""  # of the reader's

    @property
    def shown(self) -> Verdict:
        """The verdict whose effect is drawn: the reference's, else the reader's."""
        return self.reference if self.reference.decisive else self.own

    @property
    def notes(self) -> list[str]:
        """Notes to the reference's state, such as "fragile (q = .07)", and what would decide it."""
        verdict, told = self.reference, []
        if verdict.words:
            told.append(verdict.words)
        if verdict.q_value is not None and verdict.state in ("supported", "refuted"):
            q = "q" + p_value(verdict.q_value)[1:]
            told.append(f"fragile ({q})" if verdict.fragile else q)
        if self.history and verdict.state in ("supported", "refuted"):
            told.append(self.history.standing)
        if self.aged:
            told.append(self.aged)
        if need := would_decide(verdict):
            told.append(f"would decide it: {need}")
        return told

    @property
    def later_changes(self) -> list[str]:
        """Commits after the first record that changed what the verdict depends on, and disclosed changes."""
        by_commit: dict[str, list[str]] = {}
        for change in self.history.later if self.history else ():
            by_commit.setdefault(change.commit[:7], []).append(change.what)
        told = [f"{commit}: {', '.join(dict.fromkeys(what))}" for commit, what in by_commit.items()]
        return told + [f"{note.commit}: {note.what}" for note in self.claim.disclosed]


def verdict_rows(
    reference: list[Verdict],
    own: list[Verdict],
    histories: Mapping[str, History] | None = None,
    changed: Mapping[str, Mapping[str, str]] | None = None,
) -> list[VerdictRow]:
    """Pair the verdicts by claim.

    Args:
        histories: pre-registration of the reference's verdicts, by claim.
        changed: by origin ("reference", "yours"), what has changed since a record was made, by its name.
    """
    mine = {verdict.claim.id: verdict for verdict in own}
    old = {origin: {name.partition("/")[2] for name in names} for origin, names in (changed or {}).items()}
    rows = []
    for verdict in reference:
        other = mine[verdict.claim.id]
        said = agreement(verdict.state, other.state)
        aged = (_aged(verdict, old.get("reference", set())), _aged(other, old.get("yours", set())))
        history = (histories or {}).get(verdict.claim.id)
        rows.append(VerdictRow(verdict.claim, verdict, other, *said, history, *aged))
    return rows


def _aged(verdict: Verdict, old: Collection[str]) -> str:
    """How many of a verdict's records are older than their code, in words; "" if none is."""
    count, of = sum(run in old for run in verdict.records), len(verdict.records)
    if not count:
        return ""
    if of == 1:
        return "its record is older than its code"
    return f"{'all ' if count == of else f'{count} of '}{of} records are older than their code"


def agreement(reference: str, own: str) -> tuple[str, str]:
    """Whether the reader's runs agree with the committed verdict, in words and as a tone (colour)."""
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
    """Number of claims by state, from the committed records, including empty states."""
    found = Counter(row.reference.state for row in rows)
    return {state: found[state] for state in CLAIM_STATES}


def totals(rows: list[VerdictRow]) -> list[str]:
    """How many claims came out how, in sentences for a terminal: by the committed records, by the reader's.

    A state that no claim is in is left out, but for the four that a reader looks for.
    """
    found = counts(rows)
    always = (*DECIDED, "not yet tested")
    parts = [f"{found[state]} {state}" for state in CLAIM_STATES if found[state] or state in always]
    own = [row for row in rows if row.own.state in DECIDED]
    same = sum(row.own.state == row.reference.state for row in own)
    opposite = sum({row.own.state, row.reference.state} == {"supported", "refuted"} for row in own)
    told = [f"{len(rows)} claims of the articles by the committed records: {', '.join(parts)}."]
    if own:
        told.append(
            f"Your own runs test {len(own)} of them: {same} agree, {opposite} contradict the committed "
            f"verdict, {len(own) - same - opposite} decide what it leaves open or leave open what it decides."
        )
    else:
        told.append("Your own runs test none of them yet.")
    return told


def effect(finding: Finding) -> tuple[str, str]:
    """The effect (a difference or ratio), and its interval, line and p-value, as text."""
    if not math.isfinite(finding.effect):
        return finding.message, ""
    absolute = finding.ratio or finding.rule in ("level", "fact")
    sign = "× " if finding.ratio else "" if absolute or finding.effect <= 0 else "+"
    line = f", line at {number(finding.line, 3)}" if finding.line else ""
    tested = f", {p_value(finding.p_value)}" if finding.p_value is not None else ", counted"
    if finding.lacks:  # its p-value is 1 by rule, which would only puzzle beside an interval off the line
        tested = ", too few for a test"
    return (
        f"{finding.criterion.metric} {sign}{number(finding.effect, 3)}",
        f"[{number(finding.low, 3)}, {number(finding.high, 3)}]{line}{tested}",
    )


def sides(finding: Finding) -> str:
    """What was compared with what, in which setting, and over how many pairs."""
    criterion = finding.criterion
    treatment, control = criterion.treatment, criterion.control
    if control is None:
        text = f"{_settings(treatment)} against {number(criterion.value)}"
    elif list(treatment) == list(control) and len(control) == 1 and _words(treatment, control):
        # one name, and its values say enough
        text = f"{setting(*treatment.values())} against {setting(*control.values())}"
    else:
        text = f"{_settings(treatment)} against {_settings(control)}"
    # a named setting stands for its parameters, and defaults are left out: "How it was decided" lists all
    said = {name: value for name, value in criterion.where.items() if value not in ("", "none", 0)}
    places = (
        [criterion.setting]
        if criterion.setting
        else [v if isinstance(v, str) else f"{name}={setting(v)}" for name, v in said.items()]
    )
    pairs = (
        []
        if criterion.pair == "seed" or not finding.n
        else [f"{finding.n:,}\N{NO-BREAK SPACE}{criterion.pair}s"]
    )
    seeds = " and ".join(map(str, finding.seeds))
    one = "seed" if finding.seeds == (1,) else "seeds"
    return ", ".join([text, *places, *pairs, *([f"{seeds}\N{NO-BREAK SPACE}{one}"] if seeds else [])])


def _words(*sides: dict[str, Any]) -> bool:
    return all(isinstance(value, str) and value for side in sides for value in side.values())


def _settings(parameters: dict[str, Any]) -> str:
    told = (f"{name}={setting(value) or repr(value)}" for name, value in parameters.items())
    return ", ".join(told) or "the same runs"


def interval_picture(finding: Finding) -> Markup:
    """A small drawing of the interval and the line; the text beside it says the same."""
    width, height = 132, 16
    values = [finding.low, finding.high, finding.line, finding.effect]
    if not all(map(math.isfinite, values)):
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{6 + (width - 12) * (value - low) / span:.0f}"

    # no redundant attributes, because the index has two of these for each claim: report.css has the size
    return Markup(
        '<svg class="interval" aria-hidden="true">'
        '<path class="line" d="M{line} 0V{h}"/><path class="range" d="M{low} {m}H{high}"/>'
        '<circle cx="{at}" cy="{m}" r="4"/></svg>'
    ).format(
        h=height,
        m=height // 2,
        line=x(finding.line),
        low=x(finding.low),
        high=x(finding.high),
        at=x(finding.effect),
    )
