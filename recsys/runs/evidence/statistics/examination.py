"""Tests one criterion by its records: effect, interval, p-values on both sides of its line, state.

The rules are those of experiments/policy.yaml. With the effect's sign such that the claim asserts a positive
one, and the line L of the metric's family:

    gain, faster   supported above L, refuted below L
    keeps          supported above −L, refuted below −L
    no effect      supported within ±L (90 % interval), refuted outside (95 %)
    level          supported beyond the stated number, refuted on its other side
    fact           every run on the claimed side of the number (or factor), else refuted; no test
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from recsys.metrics.variance_components import Effect, contrast
from recsys.runs.evidence.statistics.criterion import Ambiguous, Criterion, Matched, Records, match
from recsys.runs.evidence.statistics.observations import NotRecorded, control_mean, sides_of
from recsys.runs.evidence.statistics.policy import Family, Policy, PolicyError, Rule

State = Literal["supported", "refuted", "undecided", "not yet tested", "invalid"]
NAN = float("nan")


@dataclass(frozen=True)
class Finding:
    """One criterion, examined.

    Attributes:
        rule: which of the six rules judged it.
        message: why it has its state, in words.
        words: category of a refuted gain: "harms", "real but too small", "no gain worth having".
        effect, low, high, line: treatment minus control with its 95 % interval, and the line, in the
            metric's units; a ratio where `ratio`; NaN where nothing could be computed. For a fact, low and
            high are the smallest and the largest value of its runs.
        p_support, p_refute: two-sided p-values, small where the effect lies on the supporting or refuting
            side of the line; None for a fact and where nothing was tested.
        n: units (users, lists, or runs where paired by seed). seeds: of the treatment and the control.
        lacks: what the policy requires and is missing, in words: seeds or sessions.
        runs: names of the records used. first_started: when the earliest of them began.
        estimate: on the scale of the test, for power.
    """

    criterion: Criterion
    rule: Rule
    state: State
    message: str
    words: str = ""
    effect: float = NAN
    low: float = NAN
    high: float = NAN
    line: float = NAN
    ratio: bool = False
    p_support: float | None = None
    p_refute: float | None = None
    n: int = 0
    seeds: tuple[int, ...] = ()
    runs: tuple[str, ...] = ()
    profile: str | None = None
    first_started: str | None = None
    lacks: str = ""
    estimate: Effect | None = None
    test_line: float = NAN  # on the scale of the estimate, turned back to the metric's own direction

    @property
    def place(self) -> str:
        """The parameters shared by both sides, in words."""
        return self.criterion.place

    @property
    def p_value(self) -> float | None:
        """Two-sided p-value of "the effect equals the line"."""
        return None if self.p_support is None else min(self.p_support, self.p_refute)


def examine(criterion: Criterion, kind: Rule, experiment: str, records: Records, policy: Policy) -> Finding:
    """Test one expanded criterion by the records that match it.

    Args:
        criterion: expanded (its `each` is empty).
        kind: the claim's, used where the criterion names none.
        experiment: the claim's, used where the criterion names none.
        records: to match. policy: rules and lines.
    """
    rule = criterion.kind or kind
    try:
        family = policy.family(criterion.metric, criterion.where | criterion.treatment)
        if wrong := _contradiction(criterion, rule, family):
            return Finding(criterion, rule, "invalid", wrong)
        matched = match(criterion, experiment, records)
    except (PolicyError, Ambiguous) as error:
        return Finding(criterion, rule, "invalid", str(error))
    if isinstance(matched, str):
        return Finding(criterion, rule, "not yet tested", matched)
    told = {
        "runs": matched.runs,
        "profile": matched.profile,
        "first_started": min(record.started for record in matched.records),
        "seeds": tuple(len(side) for side in matched.sides.values()),
    }
    try:
        if rule == "fact" or (family.fact and rule not in ("keeps", "no effect")):
            finding = _fact(criterion, rule, matched, family)
        else:
            finding = _tested(criterion, rule, matched, family, policy)
    except NotRecorded as error:
        finding = Finding(criterion, rule, "invalid", str(error))
    except ValueError as error:
        finding = Finding(criterion, rule, "undecided", str(error))
    return replace(finding, **told)


def _contradiction(criterion: Criterion, rule: Rule, family: Family) -> str:
    """What a criterion says that its rule or the scale of its metric leaves no meaning; "" if nothing."""
    ratio = family.scale == "log ratio" and rule != "level"
    if rule == "level" and criterion.value is None:
        return "a level is held against a number: give `value`, not `control`"
    if criterion.alternative is None and rule != "no effect":
        return f"a criterion of kind {rule} needs `alternative`: greater or less"
    if criterion.line is not None and rule in ("level", "fact"):
        return f"a {rule} has no `line`: its number is `value`"
    if criterion.line is not None and ratio and criterion.line <= 1:
        return f"{criterion.metric} is compared by its ratio: a `line` above 1, got {criterion.line:g}"
    if criterion.value is not None and (ratio or rule == "faster") and criterion.value <= 0:
        return f"{criterion.metric} is compared by its ratio: a `value` above 0, got {criterion.value:g}"
    return ""


def _fact(criterion: Criterion, rule: Rule, matched: Matched, family: Family) -> Finding:
    """Check a fact in every run; counted values are not random."""
    ratio = rule == "faster"
    sides = sides_of(criterion, matched, log=ratio)
    line = criterion.sign * family.line.of(0.0) if ratio else 0.0
    treatment = sides[0].scores.ravel()
    others = [side.weight * side.scores.ravel() for side in sides[1:]]
    values = treatment + sum((other.mean() for other in others), 0.0)
    passed = criterion.sign * (values - line) > 0
    offset = criterion.value if criterion.value is not None and not ratio else 0.0
    told = math.exp if ratio else lambda value: value + offset
    state = "supported" if passed.all() else "refuted"
    return Finding(
        criterion,
        rule,
        state,
        "counted: every run lies on the claimed side"
        if passed.all()
        else f"counted: {int((~passed).sum())} of {len(passed)} runs lie on the other side",
        effect=told(float(values.mean())),
        low=told(float(values.min())),
        high=told(float(values.max())),
        line=told(line),
        ratio=ratio,
        n=len(values),
    )


def _tested(criterion: Criterion, rule: Rule, matched: Matched, family: Family, policy: Policy) -> Finding:
    ratio = family.scale == "log ratio" and rule != "level"
    estimate = contrast(sides_of(criterion, matched, log=ratio))
    line = _line(criterion, rule, matched, family, ratio)
    low, high = estimate.interval(1 - policy.level)
    p_support, p_refute = _p_values(estimate, criterion.sign, line, rule)
    offset = criterion.value if rule == "level" else 0.0
    told = math.exp if ratio else lambda value: value + offset
    finding = Finding(
        criterion,
        rule,
        "undecided",
        "",
        effect=told(estimate.effect),
        low=told(low),
        high=told(high),
        line=told(criterion.sign * line),
        ratio=ratio,
        p_support=p_support,
        p_refute=p_refute,
        n=estimate.units if estimate.units > 1 else min(len(side) for side in matched.sides.values()),
        estimate=estimate,
        test_line=criterion.sign * line,
    )
    message, lacks = _too_few(matched, family, policy)
    if rule == "level" and estimate.units > 1 and estimate.se == 0 and not lacks:
        # six of six say little about the seventh: an interval of no width would say that they say all
        message = f"all {estimate.units:g} {criterion.pair}s gave the same value: its spread is not known"
        lacks = f"{criterion.pair}s that differ"
    if lacks:
        # the estimate may be shown, but does not count
        return replace(finding, message=message, lacks=lacks, p_support=1.0, p_refute=1.0)
    return _decided(finding, low * criterion.sign, high * criterion.sign, policy.level)


def _line(criterion: Criterion, rule: Rule, matched: Matched, family: Family, ratio: bool) -> float:
    """The line on the scale of the test, with the sign that the claim asserts."""
    if rule == "level":
        return 0.0
    if criterion.line is not None:
        size = math.log(criterion.line) if ratio else criterion.line
    elif family.line is None:
        raise ValueError(f"policy.yaml has no line for '{criterion.metric}': it can only be a level")
    else:
        size = family.line.of(0.0 if ratio else control_mean(criterion, matched))
    return -size if rule == "keeps" else size


def _p_values(estimate: Effect, sign: int, line: float, rule: Rule) -> tuple[float, float]:
    """Two-sided p-values for supporting and for refuting the claim."""
    if rule == "no effect":
        # two one-sided tests at the level itself: the 90 % interval
        within = max(estimate.p_above(-line), estimate.p_below(line))
        outside = 2 * min(estimate.p_above(line), estimate.p_below(-line))
        return min(1.0, within), min(1.0, outside)
    above, below = estimate.p_above(sign * line), estimate.p_below(sign * line)
    support, refute = (above, below) if sign > 0 else (below, above)
    return min(1.0, 2 * support), min(1.0, 2 * refute)


def _too_few(matched: Matched, family: Family, policy: Policy) -> tuple[str, str]:
    """Why the policy leaves a comparison undecided, and what it lacks; empty where it lacks nothing."""
    for name, side in matched.sides.items():
        ran = len(side)
        if family.timing and ran < policy.fewest_sessions:
            return (
                f"{ran} sessions of the {name}: timings need {policy.fewest_sessions}",
                f"{policy.fewest_sessions} sessions ({ran} so far)",
            )
        trains = any(policy.trains(r.experiment, r.parameters) for r in side.values())
        if trains and ran < policy.fewest_seeds:
            seeds = "1 seed" if ran == 1 else f"{ran} seeds"
            return (
                f"{seeds} of the {name}, which trains: at least {policy.fewest_seeds} are needed",
                f"{policy.fewest_seeds} seeds of the {name} ({ran} so far)",
            )
    return "", ""


def _decided(finding: Finding, near: float, far: float, level: float) -> Finding:
    near, far = sorted((near, far))
    if finding.p_support < level:
        return replace(finding, state="supported", message="the interval lies wholly on the claimed side")
    if finding.p_refute < level:
        words = ""
        if finding.rule in ("gain", "faster"):
            words = "harms" if far < 0 else "real but too small" if near > 0 else "no gain worth having"
        elif finding.rule == "keeps":
            words = "loses more than the line"
        return replace(
            finding, state="refuted", message="the interval lies wholly on the other side", words=words
        )
    return replace(finding, message="the interval leaves it open")
