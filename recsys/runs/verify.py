"""`recsys verify`: do the committed numbers still follow from what they were computed from?

Without re-running: the seals of all numbers, the files' checksums, the ranking metrics computed again from
the committed rank positions, every number in prose, the claims' states. With re-running: chosen reference
runs are repeated and must fall inside the band that their seeds span.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from recsys.runs import paths
from recsys.runs.fingerprint import sha256_of_file
from recsys.runs.prose import quoted_numbers
from recsys.runs.publish import COST, cost
from recsys.runs.records import Record, load_records
from recsys.runs.seal import broken, numbers

ACCURACY = "accuracy"  # of classes: whose right one stands first
# Metrics come from the same float64 code: only the order of summation may differ between machines.
RELATIVE_TOLERANCE = 1e-9


def verify_all(rerun: int = 0, say: Callable[[str], None] = print) -> tuple[list[str], int]:
    """Check everything that is committed.

    Args:
        rerun: how many reference runs to repeat.
        say: told what is being done.

    Returns:
        The problems, each naming its number, and how many numbers were checked.
    """
    from recsys.runs.evidence.claims import load_claims
    from recsys.runs.evidence.judge import judge
    from recsys.runs.evidence.stored import check_states
    from recsys.runs.experiment import load_experiments

    reference = load_records(paths.REFERENCE)
    problems: list[str] = []
    checked = 0
    for record in reference:
        found, count = check_record(record)
        problems += found
        checked += count
    say(f"{len(reference)} committed records: seals, checksums, metrics computed again from their ranks")
    for path in sorted(paths.REFERENCE.glob(f"*/{COST}")):
        stated = json.loads(path.read_text(encoding="utf-8"))
        summed = cost([record for record in reference if record.experiment == path.parent.name])
        problems += [
            f"{path.parent.name}/{COST}: {name} is {stated.get(name)}, its records add up to {value}"
            for name, value in summed.items()
            if stated.get(name) != value
        ]
        checked += len(summed)
    for path in sorted((paths.REFERENCE / "drills").glob("*.json")):
        drill = json.loads(path.read_text(encoding="utf-8"))
        problems += [f"drills/{path.name}: {problem}" for problem in broken(drill)]
        checked += sum(1 for _ in numbers(drill))
    quoted = quoted_numbers()
    problems += [problem for number in quoted if (problem := number.problem())]
    say(f"{len(quoted)} numbers in README and notebooks compared with their records")
    claims = load_claims()
    problems += check_states(judge(claims, reference, load_experiments()))
    say(f"{len(claims.claims)} claims: states computed again from the records")
    if rerun:
        problems += check_reruns(reference, rerun, say)
    return problems, checked + len(quoted) + rerun


def check_record(record: Record) -> tuple[list[str], int]:
    """Checksums of a record's files, and its ranking metrics computed again from its rank positions."""
    from recsys.metrics.ranking import ranking_metrics

    name = f"{record.experiment}/{record.run}"
    problems = [f"{name}: {problem}" for problem in broken(record.raw)]
    for file, recorded in record.files.items():
        path = record.folder / file
        if not path.is_file():
            problems.append(f"{name}: {file} is missing")
        elif sha256_of_file(path) != recorded:
            problems.append(f"{name}: {file} is not the file that was recorded (sha256 differs)")
    counted = len(record.files) + sum(1 for _ in numbers(record.raw))
    positions = record.positions()
    if positions is None:
        return problems, counted
    cutoffs = sorted({int(metric.rpartition("@")[2]) for metric in record.metrics if _is_cut_off(metric)})
    again, _ = ranking_metrics(positions, cutoffs=tuple(cutoffs or (10,)))
    compared = [metric for metric in record.metrics if metric in again]
    for metric in compared:
        recorded, computed = record.metrics[metric], again[metric]
        if abs(recorded - computed) > RELATIVE_TOLERANCE * max(abs(recorded), abs(computed)):
            problems.append(f"{name}: {metric} is recorded as {recorded:.8g}, its ranks give {computed:.8g}")
    if (accuracy := record.metrics.get(ACCURACY)) is not None:
        compared.append(ACCURACY)
        # of equal outputs the one that was taken is not recorded
        first, least = positions["better"] == 0, (positions["better"] + positions["equal"]) == 0
        if not least.mean() - 1e-9 <= accuracy <= first.mean() + 1e-9:
            told = f"between {least.mean():.8g} and {first.mean():.8g}"
            problems.append(f"{name}: {ACCURACY} is recorded as {accuracy:.8g}, its ranks give {told}")
    return problems, counted + len(compared)


def _is_cut_off(metric: str) -> bool:
    name, at, number = metric.rpartition("@")
    return bool(at) and number.isdigit() and name in ("hr", "recall", "ndcg")


def groups_over_seeds(records: Iterable[Record]) -> dict[tuple, list[Record]]:
    """Records that differ in nothing but their seed."""
    groups: dict[tuple, list[Record]] = defaultdict(list)
    for record in records:
        same = tuple(sorted((k, repr(v)) for k, v in record.parameters.items() if k != "seed"))
        groups[record.experiment, record.threads, same].append(record)
    return dict(groups)


def band(group: list[Record], metric: str) -> tuple[float, float]:
    """Where a further seed of the same cell is expected (95 % prediction interval over the seeds)."""
    from recsys.metrics.significance import seed_band

    values = [record.metrics[metric] for record in group]
    if len(values) == 1:  # one seed: the same seed must give the same number again
        return values[0] * (1 - 1e-6) - 1e-12, values[0] * (1 + 1e-6) + 1e-12
    interval = seed_band(values)
    slack = 1e-6 * max(abs(interval.low), abs(interval.high))
    return interval.low - slack, interval.high + slack


def check_reruns(reference: list[Record], count: int, say: Callable[[str], None]) -> list[str]:
    """Repeat one run of each of the cheapest groups and compare its primary metric with the group's band."""
    from recsys.runs.experiment import load_experiments
    from recsys.runs.plan import plan
    from recsys.runs.runner import run

    experiments = load_experiments()
    groups = [g for g in groups_over_seeds(reference).values() if g[0].experiment in experiments]
    cheapest = sorted(groups, key=lambda group: group[0].seconds)[:count]
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(
            [experiments[name] for name in sorted({g[0].experiment for g in cheapest})],
            "reference",
            runs=Path(folder),
        )
        wanted = {group[0].run: group for group in cheapest}
        chosen = [one for one in planned if one.name in wanted]
        say(f"repeating {len(chosen)} reference runs")
        for outcome in run(chosen) if chosen else []:
            group = wanted[outcome.run]
            name = f"{group[0].experiment}/{outcome.run}"
            if not outcome.ok:
                problems.append(f"{name}: the repeated run failed: {outcome.reason}")
                continue
            metric = experiments[group[0].experiment].primary_metric
            repeated = next(r for r in load_records(Path(folder)) if r.run == outcome.run).metrics[metric]
            low, high = band(group, metric)
            verdict = "inside" if low <= repeated <= high else "OUTSIDE"
            say(f"{name}: {metric} {repeated:.6g} is {verdict} the band {low:.6g} … {high:.6g}")
            if verdict == "OUTSIDE":
                problems.append(f"{name}: {metric} {repeated:.6g} is outside {low:.6g} … {high:.6g}")
        for name in set(wanted) - {one.name for one in chosen}:
            problems.append(f"{name}: the reference grid no longer holds this run")
    return problems
