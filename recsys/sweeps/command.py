"""What `recsys sweep` does once its options are parsed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.sweeps.results import failures, read_arms, status_table, sweep_folder

if TYPE_CHECKING:
    from recsys.sweeps.arm import Arm
    from recsys.sweeps.spec import Spec
    from recsys.training.hyperparameter_search.trial import Trial

SHOWN = 5  # settings per arm that a dry run lists


def status_command(console: Console, name: str, runs: Path | None) -> int:
    """Print the state of a sweep from its logs alone; it may be running."""
    folder = sweep_folder(Path(name).stem, runs)
    table = status_table(folder)
    if table.empty:
        from recsys.sweeps.spec import find_spec

        find_spec(name)  # a misspelt name is told as such
        console.print(f"no trials of {Path(name).stem} in {folder}", soft_wrap=True)
        return 1
    _print(console, table)
    return 0


def sweep_command(
    console: Console,
    name: str,
    *,
    dry_run: bool = False,
    resume: bool = False,
    retry_failed: bool = False,
    restart: bool = False,
    address: str | None = None,
    cores: int | None = None,
    runs: Path | None = None,
) -> int:
    """Check the sweep, start or resume it, and print its results; returns the exit status: 0, or 1 if an arm
    found nothing.
    """
    from recsys.sweeps.spec import SweepError, find_spec, load_spec

    spec = load_spec(find_spec(name))
    folder = sweep_folder(spec.name, runs).resolve()
    if resume and restart:
        raise SweepError("either --resume or --restart")
    if retry_failed and not resume:
        raise SweepError("--retry-failed goes with --resume")
    there = any(folder.glob("*.jsonl"))
    if dry_run:
        return _dry_run(console, spec, folder if there and not restart else None, runs)
    if resume and not there:
        raise SweepError(f"nothing to resume: no trials of {spec.name} in {folder}")
    from recsys.runs.execution.runner import only_driver
    from recsys.sweeps.provenance import changed_since, note_resumed, write_provenance

    with only_driver(folder):
        if restart and there:
            _put_aside(console, folder)
            there = False
        arms = make_arms(spec, folder, runs)
        if retry_failed:
            _try_failed_again(console, arms)
        due = [arm for arm in arms if not arm.complete]
        # after the samplers are loaded, as when the list of modules was written
        changed = changed_since(folder, spec) if there else None
        if there and not resume and not restart:
            if due:
                mixed = f" ({changed} since they ran)" if changed else ""
                raise SweepError(
                    f"{spec.name} has trials in {folder}{mixed}: --resume goes on with them, "
                    "--restart begins anew"
                )
            if changed:
                raise SweepError(
                    f"{changed} since {spec.name} ran: --restart runs it again, --resume keeps it"
                )
            if any(arm.given_up for arm in arms):
                return _sum_up(console, folder, arms)
            console.print(f"All {len(arms)} arms of {spec.name} are up to date; 0 trials run.")
            return 0
        if not there:
            write_provenance(folder, spec)
        elif changed and due:
            console.print(
                f"[yellow]{changed}[/] since the first trials ran: those from here are by this code"
            )
            note_resumed(folder, spec, {arm.name: len(arm.trials) for arm in due})
        _run(console, spec, due, folder, address, cores)
        for arm in arms:
            arm.log.close()
    return _sum_up(console, folder, arms)


def make_arms(spec: Spec, folder: Path, runs: Path | None = None) -> list[Arm]:
    """Every method and repeat of a sweep, with the trials in its log.

    Raises:
        SweepError: a sweep to warm-start from has no trials. TrialLogError: the folder holds a different
        search.
    """
    from recsys.sweeps.arm import Arm

    history = _history(spec, runs)
    return [
        Arm(spec, method, repeat, folder, history)
        for repeat in range(spec.repeats)
        for method in spec.methods
    ]


def _history(spec: Spec, runs: Path | None) -> list[Trial]:
    return [trial for name in spec.warm_start for trial in _earlier(name, spec, runs)]


def _earlier(name: str, spec: Spec, runs: Path | None) -> list[Trial]:
    """The trials of an earlier sweep; a sampler takes in those that fit its space."""
    from recsys.sweeps.results import ended
    from recsys.sweeps.spec import SweepError
    from recsys.training.hyperparameter_search.tpe import as_study

    found = [trial for _, events in read_arms(sweep_folder(name, runs)).values() for trial in ended(events)]
    if not found:
        raise SweepError(f"warm_start: no trials of '{name}' in {sweep_folder(name, runs)}")
    metrics, directions = zip(*((one.metric, one.direction) for one in spec.objectives), strict=True)
    if not as_study(found, spec.ranges, metrics, directions).trials:
        raise SweepError(
            f"warm_start: none of the {len(found)} trials of '{name}' has {', '.join(metrics)} "
            f"for settings in this space ({', '.join(spec.ranges)})"
        )
    return found


def _try_failed_again(console: Console, arms: list[Arm]) -> None:
    whole = [arm for arm in arms if arm.method.scheduler == "pbt"]
    for arm in arms:
        if arm not in whole:
            arm.try_failed_again()
    if kept := [arm.name for arm in whole if any(trial.state == "failed" for trial in arm.trials)]:
        console.print(
            f"{', '.join(kept)}: members of a population are trained together, none is tried again alone; "
            "--restart runs it anew",
            soft_wrap=True,
        )


def _run(
    console: Console, spec: Spec, due: list[Arm], folder: Path, address: str | None, cores: int | None
) -> None:
    if not due:
        return
    from recsys.sweeps.engine import run_arms

    metric = spec.objectives[0].metric

    def told(arm: Arm, trial: Trial) -> None:
        value = f"{metric} {trial.metrics[metric]:.5g}" if metric in trial.metrics else trial.reason
        mark = {"done": "[green]done[/]", "stopped": "[yellow]stopped[/]"}.get(trial.state, "[red]FAILED[/]")
        line = f"{arm.name} {trial.number}  {value}  {trial.settings}  {trial.seconds:.2f} s"
        console.print(f"{mark} {escape(line)}", soft_wrap=True)

    console.print(f"{len(due)} of {len(spec.methods) * spec.repeats} arms of {spec.name} are due.")
    try:
        run_arms(due, folder, address=address, cores=cores, on_end=told)
    except KeyboardInterrupt:
        console.print("\nStopped; what had ended is kept, and --resume goes on.")
        raise SystemExit(130) from None


def _dry_run(console: Console, spec: Spec, folder: Path | None, runs: Path | None) -> int:
    """Print what would run; writes nothing."""
    import shutil
    import tempfile

    from recsys.sweeps.arm import Arm, arm_name
    from recsys.training.hyperparameter_search.trial_log import TrialLogError

    history = _history(spec, runs)
    table = Table("arm", "ended", "next settings", title=spec.question)
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(spec.repeats):
            for method in spec.methods:
                log = Path(scratch) / f"{arm_name(method, repeat)}.jsonl"
                if folder and (folder / log.name).is_file():
                    shutil.copyfile(folder / log.name, log)
                try:
                    arm = Arm(spec, method, repeat, Path(scratch), history)
                except TrialLogError as error:  # it names the copy, which is gone when it is read
                    raise TrialLogError(str(error).replace(scratch, str(folder))) from None
                done = len(arm.trials)
                asked = [] if arm.complete else [arm.propose() for _ in range(SHOWN)]
                shown = "\n".join(str(one[1]) for one in asked if one)
                arm.log.close()
                table.add_row(arm.name, str(done), escape(shown) or "nothing: complete")
    console.print(table)
    console.print(f"each arm: {spec.budget}; a trial: {spec.target}, {spec.limits.seconds:g} s at most")
    return 0


def _put_aside(console: Console, folder: Path) -> None:
    """Move earlier trials to another folder (they are hours of work, so they are not deleted)."""
    from recsys.sweeps.provenance import PROVENANCE

    aside = folder / time.strftime("before-%Y%m%d-%H%M%S")
    aside.mkdir()
    for path in [*folder.glob("*.jsonl"), *folder.glob(PROVENANCE)]:
        path.rename(aside / path.name)
    console.print(f"earlier trials are now in {aside}", soft_wrap=True)


def _sum_up(console: Console, folder: Path, arms: list[Arm]) -> int:
    for arm, trial in failures(folder):
        console.print(f"[red]FAILED[/] {arm} {trial.number}: {escape(trial.reason)}", soft_wrap=True)
        console.print(f"  with {escape(str(trial.settings))}", soft_wrap=True)
    given_up = [arm.name for arm in arms if arm.given_up]
    if given_up:
        console.print(
            f"[red]given up[/] {', '.join(given_up)}: too many trials failed in a row; once that is mended, "
            "--resume --retry-failed tries them again",
            soft_wrap=True,
        )
    table = status_table(folder)
    _print(console, table)
    return 1 if given_up or (table["done"] == 0).any() else 0


def _print(console: Console, frame: Any) -> None:
    """Print the status table, and each arm's best settings on lines of their own."""
    table = Table()
    for name in frame.columns.drop("settings"):
        table.add_column(name, no_wrap=name == "arm")
    for row in frame.drop(columns="settings").to_dict("records"):
        table.add_row(*(f"{value:.5g}" if isinstance(value, float) else str(value) for value in row.values()))
    console.print(table)
    for row in frame.to_dict("records"):
        if row["settings"]:
            console.print(f"best of {row['arm']}: {escape(str(row['settings']))}", soft_wrap=True)
