"""Verdicts on claims from records: one p-value per claim, without correction across claims.

Within a claim, criteria are combined by its kind:

    gain, keeps, faster, no effect, level, fact, all   every criterion must hold: the largest p-value
        supports, the smallest times their number (Bonferroni) refutes
    can     one of the listed settings suffices: Bonferroni's smallest supports, the largest refutes
    most    more than half of the settings: partial conjunction (Benjamini & Heller 2008)

A criterion without records, or with too few seeds, has p = 1, so that the claim stays undecided where it is
needed. Other claims have no influence; each verdict also has a q-value (Benjamini–Hochberg over the fixed
list of testable claims, untested ones with p = 1), which may mark it as fragile but changes no state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import false_discovery_control

from recsys.runs.evidence.claims import Claim, Claims, ClaimState
from recsys.runs.evidence.statistics.criterion import Records
from recsys.runs.evidence.statistics.examination import Finding, examine
from recsys.runs.evidence.statistics.policy import Policy, Rule, load_policy
from recsys.runs.records import Record

COMPOUND = ("can", "all", "most")


@dataclass(frozen=True)
class Verdict:
    """The verdict of a set of records on one claim.

    Attributes:
        decisive: the decisive finding (the weakest supporting, or the clearest refuting one); None when
            nothing was tested.
        findings: every comparison that was examined.
        p_value: of the claim; None for facts and where nothing was tested. q_value: its q-value.
        fragile: whether it is decided with a q-value above the policy's line.
        words: what is shown beside its state, such as "real but too small" or "2 of 3".
    """

    claim: Claim
    state: ClaimState
    message: str
    decisive: Finding | None = None
    findings: tuple[Finding, ...] = ()
    p_value: float | None = None
    q_value: float | None = None
    fragile: bool = False
    words: str = ""

    @property
    def records(self) -> tuple[str, ...]:
        """Names of the runs that were used, each once."""
        return tuple(dict.fromkeys(run for finding in self.findings for run in finding.runs))

    @property
    def first_started(self) -> str | None:
        """When the earliest of the runs was started (ISO 8601)."""
        return min((f.first_started for f in self.findings if f.first_started), default=None)


@dataclass(frozen=True)
class _Setting:
    """Criteria that must hold together, with one p-value for supporting and one for refuting."""

    findings: tuple[Finding, ...]
    p_support: float
    p_refute: float
    tested: bool = field(default=True)


def verdicts(
    claims: Claims,
    records: list[Record],
    policy: Policy | None = None,
    broken: Mapping[str, str] | None = None,
) -> list[Verdict]:
    """A verdict on every claim.

    Args:
        records: of the experiments' grids (see `judge.grid_records`); single runs with other parameters or
            threads do not count.
        policy: default experiments/policy.yaml.
        broken: claims with invalid criteria, by id, with the reason (see `judge.broken_criteria`).
    """
    policy = policy or load_policy()
    by_experiment = Records(records)
    found = [_verdict(claim, by_experiment, policy, (broken or {}).get(claim.id)) for claim in claims.claims]
    return _with_q_values(found, policy)


def _with_q_values(found: list[Verdict], policy: Policy) -> list[Verdict]:
    """Benjamini–Hochberg over the testable claims, tested or not, without facts."""
    family = [n for n, verdict in enumerate(found) if verdict.claim.testable and not _only_facts(verdict)]
    if not family:
        return found
    p_values = [1.0 if found[n].p_value is None else found[n].p_value for n in family]
    q_values = false_discovery_control(p_values)  # statsmodels has it too, and takes seconds to import
    for n, q in zip(family, q_values, strict=True):
        if found[n].p_value is not None:
            decided = found[n].state in ("supported", "refuted")
            found[n] = replace(found[n], q_value=float(q), fragile=decided and bool(q > policy.q_line))
    return found


def _only_facts(verdict: Verdict) -> bool:
    return verdict.claim.kind == "fact" or (
        bool(verdict.findings)
        and all(f.p_value is None for f in verdict.findings)
        and verdict.state in ("supported", "refuted")
    )


def _verdict(claim: Claim, records: Records, policy: Policy, broken: str | None) -> Verdict:
    if not claim.testable:
        return Verdict(claim, claim.standing, claim.reason_in_words)
    if broken:
        return Verdict(claim, "invalid", broken)
    if not claim.criteria:
        return Verdict(claim, "not yet tested", f"{claim.experiment} will decide it")
    settings = _settings(claim, records, policy)
    every = tuple(finding for setting in settings for finding in setting.findings)
    if invalid := [finding for finding in every if finding.state == "invalid"]:
        return Verdict(claim, "invalid", invalid[0].message, findings=every)
    tested = tuple(finding for finding in every if finding.state != "not yet tested")
    if not tested:
        return Verdict(claim, "not yet tested", every[0].message)
    support, refute = _together(claim.kind, settings)
    facts_only = all(finding.p_value is None for finding in tested)
    if support < policy.level:
        state: ClaimState = "supported"
    else:
        state = "refuted" if refute < policy.level else "undecided"
    decisive = _decisive(tested, state)
    message = decisive.message if len(every) == 1 else _by_state(every)
    p_value = None if facts_only else min(1.0, support, refute)
    words = _words(claim.kind, settings, state, decisive)
    return Verdict(claim, state, message, decisive, tested, p_value, words=words)


def _settings(claim: Claim, records: Records, policy: Policy) -> list[_Setting]:
    """Findings by setting: a criterion is one of its own for every combination of `each`, unless it names
    the setting that it belongs to."""
    rule: Rule = "gain" if claim.kind in COMPOUND else claim.kind
    grouped: dict[tuple, list[Finding]] = {}
    for number, criterion in enumerate(claim.criteria):
        for part in criterion.expand():
            key = (criterion.setting or number, *(part.where[name] for name in criterion.each))
            finding = examine(part, rule, claim.experiment, records, policy)
            grouped.setdefault(tuple(map(repr, key)), []).append(finding)
    return [_setting(findings) for findings in grouped.values()]


def _setting(findings: list[Finding]) -> _Setting:
    support = max(_p(finding, "supported") for finding in findings)
    tested = sum(finding.p_value is not None or finding.state == "not yet tested" for finding in findings)
    smallest = min(_p(finding, "refuted") for finding in findings)
    # a fact is checked, not tested: it refutes by itself
    return _Setting(
        tuple(findings),
        support,
        min(1.0, max(1, tested) * smallest),
        any(finding.state != "not yet tested" for finding in findings),
    )


def _p(finding: Finding, state: str) -> float:
    if finding.p_support is None:
        return 0.0 if finding.state == state else 1.0
    return finding.p_support if state == "supported" else finding.p_refute


def _together(kind: str, settings: list[_Setting]) -> tuple[float, float]:
    """The claim's p-values: for supporting and for refuting it."""
    support = sorted(setting.p_support for setting in settings)
    refute = sorted(setting.p_refute for setting in settings)
    n = len(settings)
    if kind == "can":
        return min(1.0, n * support[0]), refute[-1]
    if kind == "most":
        enough = n // 2 + 1  # more than half
        against = n - enough + 1
        return (
            min(1.0, (n - enough + 1) * support[enough - 1]),
            min(1.0, (n - against + 1) * refute[against - 1]),
        )
    if kind == "all" or len(settings) == 1:
        return support[-1], min(1.0, n * refute[0])
    # Bonferroni over all criteria, whichever setting they belong to
    tests = sum(f.p_value is not None or f.state == "not yet tested" for s in settings for f in s.findings)
    smallest = min(_p(finding, "refuted") for setting in settings for finding in setting.findings)
    return support[-1], min(1.0, max(1, tests) * smallest)


def _words(kind: str, settings: list[_Setting], state: str, decisive: Finding) -> str:
    if kind in COMPOUND:
        holding = sum(all(f.state == "supported" for f in setting.findings) for setting in settings)
        tried = sum(setting.tested for setting in settings)
        if kind == "can" and state == "refuted":
            return f"in none of the {tried} tried"
        return f"{holding} of {len(settings)}" + (f", {tried} tested" if tried < len(settings) else "")
    return decisive.words if state == "refuted" else ""


def _by_state(findings: tuple[Finding, ...]) -> str:
    """Such as: refuted on beauty; undecided on planted."""
    places: dict[str, list[str]] = {}
    for finding, label in zip(findings, labels(findings), strict=True):
        places.setdefault(finding.state, []).append(label)
    return "; ".join(f"{state} on {', '.join(where)}" for state, where in places.items())


def labels(findings: Sequence[Finding]) -> list[str]:
    """Short labels that distinguish a claim's comparisons, such as "beauty, popularity".

    A label names the setting, and as few parameters as tell the comparisons apart.
    """
    metrics = [finding.criterion.metric for finding in findings]
    if len(set(metrics)) == len(metrics):
        return metrics
    told = [_parameters(finding) for finding in findings]
    open_names = list(dict.fromkeys(name for words in told for name in words))
    chosen: list[str] = []

    def told_apart(names: list[str]) -> int:
        return len({tuple(repr(words.get(name)) for name in names) for words in told})

    while open_names and told_apart(chosen) < len(told):
        best = max(open_names, key=lambda name: (told_apart([*chosen, name]), sum(name in w for w in told)))
        if told_apart([*chosen, best]) == told_apart(chosen):
            break  # the rest is the same in all
        chosen.append(best)
        open_names.remove(best)
    return [
        " ".join(_told(name, words[name]) for name in chosen if name in words)
        or str(words.get("setting", words["metric"]))
        for words in told
    ]


def _parameters(finding: Finding) -> dict[str, object]:
    """What a comparison holds fixed; where several names tell as much, the first is taken: setting, rival."""
    one = finding.criterion
    words: dict[str, object] = {"setting": one.setting, "metric": one.metric}
    words |= {f"against {name}": value for name, value in (one.control or {}).items()}
    words |= one.where
    words |= {f"treatment's {name}": value for name, value in one.treatment.items()}
    words["items bought at most"] = one.seen_at_most
    return {name: value for name, value in words.items() if value is not None}


def _told(name: str, value: object) -> str:
    if isinstance(value, str) and value:
        return f"against {value}" if name.startswith("against ") else value
    return f"{name} {value!r}"


def _decisive(findings: tuple[Finding, ...], state: str) -> Finding:
    """The weakest of those that support a claim, the clearest of those that refute it or leave it open."""
    same = [finding for finding in findings if finding.state == state] or list(findings)
    p_values = [0.0 if finding.p_value is None else finding.p_value for finding in same]
    wanted = max(p_values) if state == "supported" else min(p_values)
    return same[p_values.index(wanted)]


def numbers_of(finding: Finding) -> dict[str, float]:
    """Effect, interval, line and p-value of a finding, those that are finite."""
    told = {"effect": finding.effect, "low": finding.low, "high": finding.high, "line": finding.line}
    if finding.p_value is not None:
        told["p"] = finding.p_value
    return {name: float(value) for name, value in told.items() if np.isfinite(value)}
