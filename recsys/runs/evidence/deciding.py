"""What an undecided claim needs to be decided: more seeds, sessions or users, or missing records."""

from recsys.metrics.detectable import seeds_needed, units_needed
from recsys.runs.evidence.statistics.examination import Finding
from recsys.runs.evidence.statistics.policy import Policy, load_policy
from recsys.runs.evidence.verdicts import Verdict, labels

MANY_SEEDS = 10  # a side; if more are needed, users are named instead
MANY_TIMES = 30  # as many users as now, at most: no available data set has more


def would_decide(verdict: Verdict, policy: Policy | None = None) -> str:
    """In words, for an undecided verdict; "" for others.

    Assumes that the observed effect is the true one, with the policy's power: a guide, not a guarantee.
    """
    if verdict.state != "undecided":
        return ""
    policy = policy or load_policy()
    told: dict[str, list[str]] = {}
    for finding, label in zip(verdict.findings, labels(verdict.findings), strict=True):
        if finding.state == "undecided":
            told.setdefault(_need(finding, policy), []).append(label)
    one = len(verdict.findings) == 1
    parts = [need if one else f"{need} ({'; '.join(where)})" for need, where in told.items()]
    if "not yet tested" in verdict.message:
        parts.append("the records that are missing")
    return "; ".join(parts)


def _need(finding: Finding, policy: Policy) -> str:
    estimate = finding.estimate
    if estimate is None:
        return finding.message
    if finding.lacks:
        return finding.lacks
    distance = abs(estimate.effect - finding.test_line)
    if finding.rule == "no effect":
        distance = abs(abs(estimate.effect) - abs(finding.test_line))
    told = {"level": policy.level, "power": policy.power}
    seeds = seeds_needed(estimate, distance, **told)
    if seeds is not None and seeds <= MANY_SEEDS:
        return f"{seeds} seeds a side"
    units = units_needed(estimate, distance, MANY_SEEDS if estimate.seed_parts else None, **told)
    if units is not None and estimate.units < units <= MANY_TIMES * estimate.units:
        what = f"{units:,} {finding.criterion.pair}s"
        return what + (f" with {MANY_SEEDS} seeds a side" if estimate.seed_parts else "")
    if seeds is not None:
        return f"{seeds} seeds a side"
    return (
        f"nothing at hand: too near its line for {MANY_SEEDS} seeds a side and {MANY_TIMES} times the users"
    )
