"""The articles' claims and errors, read strictly, and the verdict that the records allow on each claim.

experiments/claims.yaml holds the claims, criteria.yaml beside it the tests that a machine can run, and
articles.yaml the articles' numbered sections (with the claims that each makes, or why it makes none) and
their errors. A claim's stored state is what the committed records gave when `update_states` last wrote
it; `check_states` compares the two again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recsys.metrics.significance import holm
from recsys.runs.evidence.criterion import Criterion, Finding, decide, examine
from recsys.runs.records import Record

CLAIM_STATES = ("supported", "refuted", "undecided", "not yet tested", "untestable")
ClaimState = Literal["supported", "refuted", "undecided", "not yet tested", "untestable"]
CRITERIA, ARTICLES = "criteria.yaml", "articles.yaml"  # beside claims.yaml
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built


class ClaimsError(ValueError):
    """claims.yaml or articles.yaml is wrong; the message says where and what to mend."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Claim(_Strict):
    """One sentence of an article, paraphrased, and what decides it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    state: ClaimState
    file: str
    section: str
    paraphrase: str
    experiment: str | None = None
    test: str | None = None
    decide: list[Criterion] = []
    reason: str | None = None

    @property
    def kind(self) -> Literal["empirical", "untestable"]:
        return "untestable" if self.state == "untestable" else "empirical"

    @property
    def place(self) -> str:
        """Short citation, such as "000 §4.1"."""
        return f"{self.file.partition('_')[0]} §{self.section}"

    @model_validator(mode="after")
    def _whole(self) -> "Claim":
        if self.kind == "untestable":
            if not self.reason or self.experiment or self.test or self.decide:
                raise ValueError(f"{self.id} is untestable: give a `reason`, and no experiment or test")
        elif not (self.experiment and self.test) or self.reason:
            raise ValueError(f"{self.id} is empirical: give `experiment` and `test`, and no `reason`")
        return self


class PaperError(_Strict):
    """Something wrong in an article, and its mended form."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    file: str | list[str]
    section: str
    wrong: str
    mended: str
    notebook: str = Field(description="the one that shows it, or will")
    shown: bool = Field(description="whether that notebook shows it already")

    @property
    def place(self) -> str:
        files = [self.file] if isinstance(self.file, str) else self.file
        return f"{' and '.join(file.partition('_')[0] for file in files)} §{self.section}"


class Claims(_Strict):
    """Both files together."""

    claims: list[Claim]
    notebooks: list[str]
    experiments: list[str] = []  # those that are not named after their notebook
    sections: dict[str, dict[str, list[str] | str]]
    errors: list[PaperError]

    @cached_property
    def by_id(self) -> dict[str, Claim]:
        return {claim.id: claim for claim in self.claims}

    @model_validator(mode="after")
    def _consistent(self) -> "Claims":
        problems = [*_repeated(c.id for c in self.claims), *_repeated(e.id for e in self.errors)]
        for claim in self.claims:
            for name in [claim.experiment, *(c.experiment for c in claim.decide)]:
                if name is not None and name not in (*self.notebooks, *self.experiments):
                    problems.append(f"{claim.id}: no notebook '{name}' in {ARTICLES}")
            listed = self.sections.get(claim.file, {}).get(claim.section, [])
            if claim.id not in listed or isinstance(listed, str):
                problems.append(f"{claim.id}: {ARTICLES} does not list it under {claim.place}")
        problems += [
            f"error {error.id}: no notebook '{error.notebook}' in {ARTICLES}"
            for error in self.errors
            if error.notebook not in self.notebooks
        ]
        known = {claim.id for claim in self.claims}
        for file, sections in self.sections.items():
            for section, entry in sections.items():
                if not entry:
                    problems.append(f"{file} §{section}: names no claim and no reason for having none")
                if isinstance(entry, list):
                    problems += [
                        f"{file} §{section}: unknown claim '{name}'" for name in entry if name not in known
                    ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [f"'{name}' stands twice" for name in names if name in seen or seen.add(name)]


def load_claims(path: Path) -> Claims:
    """Read claims.yaml, and criteria.yaml and articles.yaml beside it.

    Raises:
        ClaimsError: a missing file, unreadable YAML, an unknown key, an id that stands twice, an unknown
            notebook, a claim that its section does not list, criteria of a claim that does not exist.
    """
    whole = _read(path) | _read(path.with_name(ARTICLES))
    criteria = _read(path.with_name(CRITERIA))
    claims = whole.get("claims") or []
    if not all(isinstance(claim, dict) for claim in claims):
        raise ClaimsError(f"{path.name}: every entry of `claims` must look like {{id: ..., state: ..., ...}}")
    unknown = set(criteria) - {claim.get("id") for claim in claims}
    if unknown:
        raise ClaimsError(f"{CRITERIA}: no claim '{min(unknown)}' in {path.name}")
    whole["claims"] = [{**claim, "decide": criteria.get(claim.get("id"), [])} for claim in claims]
    try:
        return Claims.model_validate(whole)
    except ValidationError as error:
        problems = "; ".join(f"{_where(e['loc'], claims)}: {e['msg']}" for e in error.errors())
        raise ClaimsError(f"{path.parent.name}/{path.name} and its neighbours: {problems}") from None


def _read(file: Path) -> dict:
    try:
        part = yaml.load(file.read_text(encoding="utf-8"), Loader=SAFE_LOADER)
    except OSError as error:
        raise ClaimsError(f"{file.name} can't be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ClaimsError(f"{file.name}: not valid YAML: {error}") from None
    if not isinstance(part, dict):
        raise ClaimsError(f"{file.name}: expected keys with values, found {type(part).__name__}")
    return part


def _where(location: tuple, claims: list[dict]) -> str:
    """A place in the files, with the claim's id in place of its number."""
    if location[:1] == ("claims",) and len(location) > 1:
        location = (claims[location[1]].get("id", location[1]), *location[2:])
    return ".".join(map(str, location))


@dataclass(frozen=True)
class Verdict:
    """What a set of records says about one claim.

    Attributes:
        decisive: the finding that settles it (the weakest of those that support it, the clearest of those
            that refute it); None when nothing was tested.
        findings: every comparison that was looked at.
    """

    claim: Claim
    state: ClaimState
    message: str
    decisive: Finding | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def records(self) -> tuple[str, ...]:
        """Names of the runs that were used, each once."""
        return tuple(dict.fromkeys(run for finding in self.findings for run in finding.runs))


def verdicts(claims: Claims, records: list[Record]) -> list[Verdict]:
    """A verdict on every claim; p-values are Holm-corrected over all comparisons that could be made."""
    found: dict[str, list[list[Finding]]] = {}
    for claim in claims.claims:
        found[claim.id] = [
            [examine(part, claim.experiment, records) for part in criterion.expand()]
            for criterion in claim.decide
        ]
    family = [f for groups in found.values() for group in groups for f in group if f.p_value is not None]
    corrected = dict(zip(map(id, family), holm([f.p_value for f in family]), strict=True)) if family else {}
    return [
        _verdict(
            claim,
            [
                [decide(f, float(corrected[id(f)])) if id(f) in corrected else f for f in g]
                for g in found[claim.id]
            ],
        )
        for claim in claims.claims
    ]


def _verdict(claim: Claim, groups: list[list[Finding]]) -> Verdict:
    if claim.kind == "untestable":
        return Verdict(claim, "untestable", claim.reason or "")
    if not groups:
        return Verdict(claim, "not yet tested", f"{claim.experiment} will decide it")
    tested = [[finding for finding in group if finding.state != "not yet tested"] for group in groups]
    findings = tuple(finding for group in tested for finding in group)
    if not all(tested):
        untested = next(group for group, part in zip(groups, tested, strict=True) if not part)
        return Verdict(claim, "not yet tested", untested[0].message, findings=findings)
    states = [_of_group(group) for group in tested]
    if "refuted" in states:
        state: ClaimState = "refuted"
    else:
        state = "supported" if set(states) == {"supported"} else "undecided"
    decisive = _decisive(findings, state)
    every = [finding for group in groups for finding in group]
    message = decisive.message if len(every) == 1 else _by_state(every)
    return Verdict(claim, state, message, decisive, findings)


def _by_state(findings: list[Finding]) -> str:
    """Such as: refuted on dataset=beauty; undecided on dataset=planted."""
    places: dict[str, list[str]] = {}
    for finding in findings:
        places.setdefault(finding.state, []).append(finding.place or finding.criterion.metric)
    return "; ".join(f"{state} on {', '.join(where)}" for state, where in places.items())


def _of_group(group: list[Finding]) -> str:
    """One criterion over several places: it holds where all support it; mixed answers leave it open."""
    states = {finding.state for finding in group}
    if states == {"supported"}:
        return "supported"
    return "refuted" if "refuted" in states and "supported" not in states else "undecided"


def _decisive(findings: tuple[Finding, ...], state: str) -> Finding:
    same = [finding for finding in findings if finding.state == state] or list(findings)
    p_values = [1.0 if finding.corrected is None else finding.corrected for finding in same]
    wanted = max(p_values) if state == "supported" else min(p_values)
    return same[p_values.index(wanted)]


def check_states(claims: Claims, reference: list[Record]) -> list[str]:
    """Every claim whose stored state is not what the committed records give, in words."""
    return [
        f"claims.yaml: {verdict.claim.id} is stored as '{verdict.claim.state}', the committed records give "
        f"'{verdict.state}' ({verdict.message})"
        for verdict in verdicts(claims, reference)
        if verdict.claim.state != verdict.state
    ]


def update_states(path: Path, reference: list[Record]) -> list[str]:
    """Rewrite the states in claims.yaml to what the committed records give; nothing else is touched.

    Returns:
        One line for each state that changed.

    Raises:
        ClaimsError: the files are wrong, or an entry does not begin with `- {id: ..., state: ...,`.
    """
    text = path.read_text(encoding="utf-8")
    changes = []
    for verdict in verdicts(load_claims(path), reference):
        claim = verdict.claim
        if claim.state == verdict.state:
            continue
        start = re.compile(rf"^(\s*- \{{id: {re.escape(claim.id)}, state: )[a-z ]+(?=,)", re.MULTILINE)
        text, count = start.subn(rf"\g<1>{verdict.state}", text)
        if count != 1:
            raise ClaimsError(
                f"{path.name}: the entry of {claim.id} must begin with `- {{id: ..., state: ...,`"
            )
        changes.append(f"{claim.id}: {claim.state} → {verdict.state}")
    if changes:
        path.write_text(text, encoding="utf-8")
    return changes
