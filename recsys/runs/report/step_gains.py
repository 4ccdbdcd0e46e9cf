"""What each step of the ladder buys and costs, from the records of its stacks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from recsys.benchmarks.ladder.steps import GROUND, STEPS, comparisons, parse, told
from recsys.metrics.variance_components import contrast
from recsys.runs.evidence.results import chosen_records
from recsys.runs.evidence.statistics.criterion import Ambiguous, Criterion, Matched, Records, match
from recsys.runs.evidence.statistics.observations import NotRecorded, control_mean, sides_of
from recsys.runs.records import Record

EXPERIMENT = "09_ladder"
SIMPLE = "09_ladder_simple_models"  # EASE in the stack's place, on the same requests
EXPERIMENTS = (EXPERIMENT, SIMPLE)
INSTEAD = ("EASE instead", "instead")  # step and way of its row
METRIC = "ndcg@10"
# what a step changes beside its gain, in the metrics' own units. Not milliseconds: they were taken beside
# other programs, and one encoder took from three to twenty-four a title; notebook 05 times encoders
BESIDE = (
    "diversity@10",
    "novelty@10",
    "coverage@10",
    "core_seconds",
    "stored_bytes",
    "conversion",
    "conversion_truth",
    "repeat_hr@10",
    "repeat_recall@20",
)


def step_gains(records: Sequence[Record] | None = None, metric: str = METRIC) -> pd.DataFrame:
    """A row for each data set, step and way (alone, added, other order) whose two stacks are recorded.

    The last row of a data set is EASE, a linear model that reads no text, in the stack's place and as fresh,
    against the same ground.

    Args:
        records: of `EXPERIMENTS`; None: those that the notebook shows, the reader's own or the reference.
        metric: of ranking, paired by user.

    Returns:
        dataset, step, way, below, above (stacks in words), gain with its 95 % interval low and high (over
        users, and seeds where there are several, as verdicts have it), share (of the control's mean),
        seeds, experiment and run (a record of the stack with the step); and the difference in each metric of
        `BESIDE` that both stacks recorded, named as the metric.
    """
    if records is None:
        records = [record for name in EXPERIMENTS for record in chosen_records(name)]
    known, rows = Records(list(records)), []
    ladder = [record for record in records if record.experiment == EXPERIMENT]
    for dataset in dict.fromkeys(record.parameters["dataset"] for record in ladder):
        own = [record for record in ladder if record.parameters["dataset"] == dataset]
        there = {step for record in own for step in parse(record.parameters["steps"])}
        asked = {"where": {"dataset": dataset}, "metric": metric, "pair": "user", "alternative": "greater"}
        for one in comparisons([step for step in STEPS if step in there]):
            sides = {"treatment": {"steps": told(one.above)}, "control": {"steps": told(one.below)}}
            row = {"dataset": dataset, "step": one.step, "way": one.way}
            row |= {"below": told(one.below), "above": told(one.above)}
            if found := _measured(Criterion(**asked, **sides), known):
                rows.append(row | found)
        sides = {"treatment": {"model": "ease", "state": "moment"}, "control": {"steps": GROUND}}
        simple = Criterion(**asked, **sides, experiment=SIMPLE, control_experiment=EXPERIMENT)
        if found := _measured(simple, known):
            row = {"dataset": dataset, "step": INSTEAD[0], "way": INSTEAD[1]}
            rows.append(row | {"below": GROUND, "above": "EASE"} | found)
    return pd.DataFrame(rows)


def _measured(criterion: Criterion, known: Records) -> dict[str, float | str] | None:
    """Gain, interval and differences of costs; None where a side is missing or two runs answer."""
    try:
        matched = match(criterion, EXPERIMENT, known)
        if not isinstance(matched, Matched):
            return None
        effect = contrast(sides_of(criterion, matched))
        control = control_mean(criterion, matched)
    except (Ambiguous, NotRecorded, ValueError):
        return None
    seeds = min(len(side) for side in matched.sides.values())
    low, high = effect.interval()
    above, below = (list(matched.sides[name].values()) for name in ("treatment", "control"))
    found: dict[str, float | str] = {"gain": effect.effect, "low": low, "high": high}
    found |= {"share": effect.effect / max(control, 1e-12), "seeds": seeds}
    found |= {"experiment": above[0].experiment, "run": above[0].run}
    for name in BESIDE:
        if all(name in record.metrics for record in (*above, *below)):
            found[name] = _mean(above, name) - _mean(below, name)
    return found


def _mean(records: Sequence[Record], metric: str) -> float:
    return sum(record.metrics[metric] for record in records) / len(records)
