"""What each step of the ladder buys and costs, from the records of its stacks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from recsys.benchmarks.ladder.steps import STEPS, comparisons, parse, told
from recsys.metrics.variance_components import contrast
from recsys.runs.evidence.results import chosen_records
from recsys.runs.evidence.statistics.criterion import Ambiguous, Criterion, Matched, Records, match
from recsys.runs.evidence.statistics.observations import NotRecorded, control_mean, sides_of
from recsys.runs.records import Record

EXPERIMENT = "09_ladder"
METRIC = "ndcg@10"
# what a step changes beside its gain, in the metrics' own units
BESIDE = (
    "diversity@10",
    "novelty@10",
    "coverage@10",
    "list_ms",
    "core_seconds",
    "stored_bytes",
    "conversion",
    "conversion_truth",
    "repeat_hr@10",
    "repeat_recall@20",
)


def step_gains(records: Sequence[Record] | None = None, metric: str = METRIC) -> pd.DataFrame:
    """A row for each data set, step and way (alone, added, other order) whose two stacks are recorded.

    Args:
        records: of the experiment; None: those that the notebook shows, the reader's own or the reference.
        metric: of ranking, paired by user.

    Returns:
        dataset, step, way, below, above (stacks in words), gain with its 95 % interval low and high (over
        users, and seeds where there are several, as verdicts have it), share (of the control's mean),
        seeds, run (a record of the stack with the step); and the difference in each metric of `BESIDE` that
        both stacks recorded, named as the metric.
    """
    records = chosen_records(EXPERIMENT) if records is None else records
    known, rows = Records(list(records)), []
    for dataset in dict.fromkeys(record.parameters["dataset"] for record in records):
        own = [record for record in records if record.parameters["dataset"] == dataset]
        there = {step for record in own for step in parse(record.parameters["steps"])}
        for one in comparisons([step for step in STEPS if step in there]):
            criterion = Criterion(
                metric=metric,
                treatment={"steps": told(one.above)},
                control={"steps": told(one.below)},
                where={"dataset": dataset},
                pair="user",
                alternative="greater",
            )
            row = {"dataset": dataset, "step": one.step, "way": one.way}
            row |= {"below": told(one.below), "above": told(one.above)}
            if found := _measured(criterion, known):
                rows.append(row | found)
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
    found |= {"share": effect.effect / max(control, 1e-12), "seeds": seeds, "run": above[0].run}
    for name in BESIDE:
        if all(name in record.metrics for record in (*above, *below)):
            found[name] = _mean(above, name) - _mean(below, name)
    return found


def _mean(records: Sequence[Record], metric: str) -> float:
    return sum(record.metrics[metric] for record in records) / len(records)
