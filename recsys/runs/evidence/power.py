"""Power analysis (`recsys power EXPERIMENT`): before anything runs, the smallest effect a grid can detect.

The variance of users and seeds is taken from earlier records: of the same comparison, else of the most
similar one with the same family of metrics, scale and pairing. A grid cannot decide a claim where a zero
effect could not be distinguished from its line, that is, where the detectable difference exceeds the line.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from recsys.metrics.detectable import detectable, seeds_needed, units_needed
from recsys.metrics.variance_components import Effect
from recsys.runs.evidence.claims import Claim, Claims
from recsys.runs.evidence.judge import grid_records
from recsys.runs.evidence.statistics.criterion import Criterion, Records
from recsys.runs.evidence.statistics.examination import Finding, examine
from recsys.runs.evidence.statistics.policy import Policy, Rule, load_policy
from recsys.runs.evidence.verdicts import COMPOUND
from recsys.runs.grid.experiment import Experiment
from recsys.runs.grid.parameters import resolve
from recsys.runs.grid.plan import declared_parameters
from recsys.runs.records import Record


@dataclass(frozen=True)
class Power:
    """Power of a grid for one criterion.

    Attributes:
        seeds: of the grid on the side with the fewest. line, detectable: on the test's scale (logarithms of
            ratios where `ratio`); None where no record gives a variance or a line.
        spread_from: the comparison whose variance was used.
        seeds_needed: per side, to distinguish a zero effect from the line; None where no number suffices.
        units_needed: users or lists for the same, with the grid's number of seeds.
    """

    claim: Claim
    criterion: Criterion
    seeds: int
    ratio: bool
    line: float | None
    detectable: float | None
    spread_from: str
    seeds_needed: int | None
    units_needed: int | None = None

    @property
    def decides(self) -> bool | None:
        """Whether a zero effect can be distinguished from the line; None where that is unknown."""
        if self.detectable is None or not self.line:
            return None
        return self.detectable <= self.line


def power_of(
    experiment: Experiment,
    claims: Claims,
    records: list[Record],
    experiments: Mapping[str, Experiment],
    profile: str = "reference",
    policy: Policy | None = None,
) -> list[Power]:
    """One entry for each criterion (and combination of `each`) that reads the experiment.

    Args:
        records: earlier ones, of any experiment and profile.
        profile: whose grid is analysed.
    """
    policy = policy or load_policy()
    by_experiment = Records(grid_records(records, experiments))
    known = _known(claims, by_experiment, policy)
    found = []
    for claim in claims.claims:
        for criterion in (part for one in claim.criteria for part in one.expand()):
            sides = criterion.sides(claim.experiment)
            if experiment.name not in (name for name, _ in sides.values()):
                continue
            seeds = min(_seeds(experiments[name], asked, profile) for name, asked in sides.values())
            found.append(_power(claim, criterion, seeds, known, policy))
    return found


def _known(claims: Claims, records: Records, policy: Policy) -> list[tuple[Claim, Finding]]:
    """Every earlier comparison with a variance."""
    found = []
    for claim in claims.claims:
        rule: Rule = "gain" if claim.kind in (*COMPOUND, None) else claim.kind
        for criterion in (part for one in claim.criteria for part in one.expand()):
            finding = examine(criterion, rule, claim.experiment, records, policy)
            if finding.estimate is not None:
                found.append((claim, finding))
    return found


def _power(
    claim: Claim, criterion: Criterion, seeds: int, known: list[tuple[Claim, Finding]], policy: Policy
) -> Power:
    family = policy.family(criterion.metric, criterion.where | criterion.treatment)
    best = max(known, key=lambda one: _nearness(one, claim, criterion, policy), default=None)
    if best is None or not _nearness(best, claim, criterion, policy)[0]:
        return Power(claim, criterion, seeds, family.scale != "difference", None, None, "", None)
    other, finding = best
    estimate: Effect = finding.estimate
    line = abs(finding.test_line)
    after = estimate.with_numbers(seeds=max(2, seeds)) if estimate.seed_parts else estimate
    smallest = detectable(after, policy.level, policy.power)
    same = finding.criterion == criterion
    return Power(
        claim,
        criterion,
        seeds,
        finding.ratio,
        line or None,
        smallest if math.isfinite(smallest) else None,
        "its own records" if same else f"{other.id}, {finding.place or finding.criterion.metric}",
        seeds_needed(estimate, line, policy.level, policy.power) if line else None,
        units_needed(after, line, None, policy.level, policy.power) if line else None,
    )


def _nearness(
    one: tuple[Claim, Finding], claim: Claim, criterion: Criterion, policy: Policy
) -> tuple[bool, ...]:
    """Whether a comparison's variance is usable for a criterion, and how similar they are (larger: more)."""
    other, finding = one
    theirs = finding.criterion
    mine = policy.family(criterion.metric, criterion.where | criterion.treatment)
    # metrics that are only held against stated numbers share no scale: a ratio says nothing of a share
    alike = mine.line is not None or theirs.metric == criterion.metric
    usable = (
        theirs.pair == criterion.pair
        and policy.family(theirs.metric, theirs.where | theirs.treatment).name == mine.name
        and alike
    )
    return (
        usable,
        theirs == criterion,
        bool(finding.estimate.seed_parts),
        theirs.where.get("dataset") == criterion.where.get("dataset"),
        (theirs.experiment or other.experiment) == (criterion.experiment or claim.experiment),
        theirs.metric == criterion.metric,
    )


def _seeds(experiment: Experiment, asked: Mapping[str, object], profile: str) -> int:
    """Number of seeds that a profile's grid has for the runs asked for."""
    declared = declared_parameters(experiment)
    defaults = {name: parameter.default for name, parameter in declared.items()}
    cells = [defaults | resolve(declared, cell, experiment.name) for cell, _ in experiment.cells(profile)]
    return len({c.get("seed") for c in cells if all(c.get(name) == v for name, v in asked.items())})
