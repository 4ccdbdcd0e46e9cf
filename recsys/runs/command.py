"""The work of `recsys run`, without the parsing of its options."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.data import sources
from recsys.data.errors import DataUnavailable
from recsys.runs import paths
from recsys.runs.execution.worker import Outcome
from recsys.runs.grid.experiment import (
    EMBEDDED_DATA,
    PROFILES,
    Experiment,
    ExperimentError,
    choose,
    load_experiments,
)
from recsys.runs.grid.parameters import resolve
from recsys.runs.grid.plan import DATA_CHOICES, PlannedRun, declared_parameters, plan


def run_command(
    console: Console,
    names: list[str],
    profile: str,
    *,
    data: str,
    only: list[str],
    seeds: list[int] | None,
    overrides: list[str],
    defaults: bool,
    dry_run: bool,
    force: bool,
    address: str | None,
    cores: int | None,
    threads: int | None,
    runs: Path | None,
    allow_dirty: bool,
) -> int:
    """Plan, fetch data, run, summarise; returns the exit status."""
    for value, choices, what in ((profile, PROFILES, "profile"), (data, DATA_CHOICES, "--data")):
        if value not in choices:
            raise ExperimentError(f"no {what} '{value}'; there are {', '.join(choices)}")
    runs = runs.resolve() if runs else paths.RUNS
    chosen = choose(load_experiments(), names)
    planned = plan(
        chosen,
        profile,
        data=data,
        seeds=seeds,
        overrides=_pairs(overrides),
        defaults=defaults,
        threads=threads,
        runs=runs,
    )
    planned = [one for one in planned if all(_matches(one, text) for text in only)]
    if not planned:
        raise ExperimentError(_why_none(chosen, profile))
    due = [one for one in planned if one.reason or force]
    for name in {one.dataset for one in planned} - set(EMBEDDED_DATA):
        sources.get(name)  # a name that the registry does not know is told by a dry run too
    if dry_run:
        console.print(plan_table(planned))
        console.print(f"{len(due)} of {len(planned)} runs would run.")
        return 0
    if not due:
        console.print(f"All {len(planned)} runs are up to date; 0 notebooks executed.")
        _write_last(console, runs, planned, [], profile)
        return 0
    _refuse_dirty_reference(profile, allow_dirty)
    _fetch(console, due)
    ready = [one for one in due if not one.unavailable]
    committed = profile == "reference" and not allow_dirty
    outcomes = _run(console, ready, runs, address, cores, planned, profile, committed) if ready else []
    _write_last(console, runs, planned, outcomes, profile)
    return _sum_up(console, planned, due, outcomes)


def _why_none(chosen: list[Experiment], profile: str) -> str:
    """Why no run is planned, and what to do."""
    lacking = [
        f"{one.name} has no runs of the profile {profile}; it has some of {', '.join(one.profiles)}"
        for one in chosen
        if profile not in one.profiles
    ]
    if len(lacking) == len(chosen):
        return ". ".join(lacking)
    return (
        "no run matches --only and --data; they are held against the values after -p: see the same command "
        "without --only and with --dry-run, or `recsys show EXPERIMENT`"
    )


def _run(
    console: Console,
    ready: list[PlannedRun],
    runs: Path,
    address: str | None,
    cores: int | None,
    planned: list[PlannedRun],
    profile: str,
    committed_only: bool,
) -> list[Outcome]:
    from recsys.runs.execution.progress import GridProgress
    from recsys.runs.execution.runner import only_driver, run

    others = "; the others are up to date or have no data" if len(ready) < len(planned) else ""
    console.print(f"{len(ready)} of {len(planned)} runs are due{others}.")
    outcomes: list[Outcome] = []
    with only_driver(runs), GridProgress(ready, console) as progress:
        try:
            run(
                ready,
                address=address,
                cores=cores,
                committed_only=committed_only,
                on_start=progress.started,
                on_tick=progress.tick,
                on_finish=lambda one, outcome: (outcomes.append(outcome), progress.finished(one, outcome)),
            )
        except KeyboardInterrupt:
            _write_last(console, runs, planned, outcomes, profile)
            console.print(
                f"\nStopped. {len(outcomes)} of {len(ready)} runs had ended and are kept; those in progress "
                "are lost. The same command goes on with the rest."
            )
            raise SystemExit(130) from None
    return outcomes


def _pairs(texts: list[str]) -> dict[str, str]:
    """Parse -p name=value; a repeated name is an error, because only the last value would run."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ExperimentError(f"-p takes name=value, got '{text}'")
        if name in found:
            raise ExperimentError(
                f"-p {name} is given twice ({found[name]} and {value}): run the command once for each value, "
                "or write them into a grid of experiments/*.yaml"
            )
        found[name] = value
    return found


def _matches(run: PlannedRun, text: str) -> bool:
    name, equals, value = text.partition("=")
    if equals:
        declared = declared_parameters(run.experiment)
        wanted = resolve(declared, {name: value}, f"--only ({run.experiment.notebook})", as_text=True)
        return run.parameters[name] == wanted[name]
    experiment = run.experiment.name
    return experiment == text or experiment.startswith(f"{text}_") or text in run.label


def _refuse_dirty_reference(profile: str, allow_dirty: bool) -> None:
    from recsys.runs.grid.git import uncommitted

    if profile == "reference" and not allow_dirty and uncommitted():
        raise ExperimentError(
            "the reference profile runs committed code only, so that every number can be traced: commit your "
            "changes first, or add --allow-dirty for a trial that `recsys publish` will not take"
        )


def _fetch(console: Console, due: list[PlannedRun]) -> None:
    """Fetch each data set once, before the workers need it; mark runs whose data cannot be obtained."""
    for experiment in {one.experiment.name: one.experiment for one in due}.values():
        if missing := experiment.missing_packages():
            reason = f"it needs {', '.join(missing)}, which are extras: install them with `make extras`"
            console.print(f"[yellow]not run[/] {experiment.name}: {escape(reason)}", soft_wrap=True)
            for one in due:
                if one.experiment.name == experiment.name:
                    one.unavailable = reason
    for name in sorted({one.dataset for one in due if one.dataset not in EMBEDDED_DATA}):
        try:
            sources.ensure(name)
        except DataUnavailable as error:
            console.print(f"[yellow]not run[/] everything on '{name}': {escape(str(error))}", soft_wrap=True)
            for one in due:
                if one.dataset == name:
                    one.unavailable = str(error)


def plan_table(planned: list[PlannedRun]) -> Table:
    """Table for --dry-run: what would run, and why."""
    table = Table("experiment", "run", "state", "why")
    for one in planned:
        state = "[yellow]due[/]" if one.reason else "[green]up to date[/]"
        table.add_row(one.experiment.name, escape(one.label), state, escape(one.reason or ""))
    return table


def _write_last(
    console: Console, runs: Path, planned: list[PlannedRun], outcomes: list[Outcome], profile: str
) -> None:
    """Write a summary of the last command for the report: which runs failed or could not run.

    If it cannot be written (a full disk, a read-only folder), the finished runs are still kept and reported.
    """
    by_name = {outcome.run: outcome for outcome in outcomes}
    entries: list[dict[str, Any]] = []
    for one in planned:
        outcome = by_name.get(one.name)
        if one.unavailable:
            state, reason = "not run", one.unavailable
        elif outcome is None:
            state, reason = ("up to date", "") if one.reason is None else ("not reached", "")
        else:
            state, reason = ("done", "") if outcome.ok else ("failed", outcome.reason)
        entries.append(
            {"experiment": one.experiment.name, "run": one.name, "label": one.label, "state": state}
            | {"reason": reason, "cell": outcome.cell if outcome else None}
        )
    when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    summary = {"when": when, "profile": profile, "runs": entries}
    partial = runs / f"{paths.LAST}.part"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(runs / paths.LAST)
    except OSError as error:
        console.print(
            f"[yellow]not written[/] {escape(str(runs / paths.LAST))}: {error.strerror}; the report will not "
            "know what failed",
            soft_wrap=True,
        )


def _sum_up(
    console: Console, planned: list[PlannedRun], due: list[PlannedRun], outcomes: list[Outcome]
) -> int:
    failed = [outcome for outcome in outcomes if not outcome.ok]
    labels = {one.name: f"{one.experiment.name}  {one.label}" for one in planned}
    for outcome in failed:
        console.print(f"\n[bold red]FAILED[/] {escape(labels[outcome.run])}")
        where = f" in cell {outcome.cell}" if outcome.cell else ""
        console.print(f"  {escape(outcome.reason)}{where}", soft_wrap=True)
        for line in outcome.source.splitlines()[:15]:
            console.print(f"    [cyan]{escape(line)}[/]")
        for line in outcome.traceback.splitlines()[-12:]:
            console.print(f"    [dim]{escape(line)}[/]")
        executed = Path(outcome.folder) / paths.EXECUTED
        if executed.is_file():
            shown = executed.relative_to(Path.cwd()) if executed.is_relative_to(Path.cwd()) else executed
            jupyter = Path(sys.executable).with_name("jupyter")
            jupyter = jupyter.relative_to(Path.cwd()) if jupyter.is_relative_to(Path.cwd()) else jupyter
            console.print(f"  look at it: {jupyter} lab {shown}", soft_wrap=True)
    missing = sum(one.unavailable is not None for one in due)
    up_to_date = len(planned) - len(due)
    console.print(
        f"\n{len(outcomes) - len(failed)} notebooks executed, {up_to_date} up to date, "
        f"{len(failed)} failed, {missing} not run for want of data or packages (said above)."
    )
    if any(outcome.ok for outcome in outcomes):
        smoke = all(one.profile == "smoke" for one in planned)
        console.print(
            "Smoke runs only show that everything runs; verdicts need --profile quick or reference."
            if smoke
            else "What they show: `recsys report` writes the report and prints the verdicts."
        )
    return 1 if failed or missing == len(planned) else 0
