"""What `recsys sweep` does once its options are parsed."""

from __future__ import annotations

import hashlib
import json
import sys
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

PROVENANCE = "provenance.json"
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

    with only_driver(folder):
        if restart and there:
            _put_aside(console, folder)
            there = False
        arms = make_arms(spec, folder, runs)
        for arm in arms if retry_failed else []:
            arm.try_failed_again()
        due = [arm for arm in arms if not arm.complete]
        # after the samplers are loaded, as when the list of modules was written
        changed = _changed(folder, spec) if there else None
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
            console.print(f"All {len(arms)} arms of {spec.name} are up to date; 0 trials run.")
            return 0
        if not there:
            _write_provenance(folder, spec)
        elif changed and due:
            console.print(
                f"[yellow]{changed}[/] since the first trials ran: those from here are by this code"
            )
            _note_resumed(folder, {arm.name: len(arm.trials) for arm in due})
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
    return [trial for name in spec.warm_start for trial in _earlier(name, runs)]


def _earlier(name: str, runs: Path | None) -> list[Trial]:
    from recsys.sweeps.results import ended
    from recsys.sweeps.spec import SweepError

    found = [trial for _, events in read_arms(sweep_folder(name, runs)).values() for trial in ended(events)]
    if not found:
        raise SweepError(f"warm_start: no trials of '{name}' in {sweep_folder(name, runs)}")
    return found


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
        line = f"{mark} {arm.name} {trial.number}  {value}  {trial.settings}  {trial.seconds:.2f} s"
        console.print(escape(line).replace("\\[", "["), soft_wrap=True)

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

    history = _history(spec, runs)
    table = Table("arm", "ended", "next settings", title=spec.question)
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(spec.repeats):
            for method in spec.methods:
                log = Path(scratch) / f"{arm_name(method, repeat)}.jsonl"
                if folder and (folder / log.name).is_file():
                    shutil.copyfile(folder / log.name, log)
                arm = Arm(spec, method, repeat, Path(scratch), history)
                done = len(arm.trials)
                asked = [] if arm.complete else [arm.propose() for _ in range(SHOWN)]
                shown = "\n".join(str(one[1]) for one in asked if one)
                arm.log.close()
                table.add_row(arm.name, str(done), escape(shown) or "nothing: complete")
    console.print(table)
    console.print(f"each arm: {spec.budget}; a trial: {spec.target}, {spec.limits.seconds:g} s at most")
    return 0


def _modules() -> dict[str, str]:
    """Modules of recsys that a trial's function can reach → hash of their code."""
    from recsys.code.definitions import read_module
    from recsys.code.reach import own_sources

    own = ("recsys.sweeps.functions", "recsys.sweeps.trial_process")
    names = [name for name in sys.modules if name.startswith("recsys.")]
    kept = [name for name in names if name.startswith(own) or not name.startswith(OUTSIDE)]
    sources, found = own_sources(), {}
    for name in sorted(kept):
        source = sources(name)
        if source is not None:
            hashes = sorted((one.name, one.sha256) for one in read_module(name, source).definitions.values())
            found[name] = hashlib.sha256(repr(hashes).encode()).hexdigest()
    return found


# modules on which no trial's results depend
OUTSIDE = (
    "recsys.sweeps",
    "recsys.runs",
    "recsys.plots",
    "recsys.cli",
    "recsys.command_line",
    "recsys.data.cli",
    "recsys.encoders.packaged.cli",
    "recsys.search.cli",
)


def _write_provenance(folder: Path, spec: Spec) -> None:
    """Write what all trials of the sweep share, once."""
    import importlib.metadata

    from recsys.runs.grid.git import head, uncommitted

    packages = ("ray", "optuna", "numpy", "scipy", "torch", "implicit", "pandas")
    whole: dict[str, Any] = {
        "spec": spec.model_dump(),
        "code": {"commit": head(), "dirty": uncommitted()} | {"modules": _modules()},
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    _write(folder, whole)


def _write(folder: Path, whole: dict[str, Any]) -> None:
    partial = folder / f"{PROVENANCE}.part"
    partial.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / PROVENANCE)


def _note_resumed(folder: Path, ended: dict[str, int]) -> None:
    """Write that later trials are by other code. ended: arm → how many trials were by earlier code."""
    from recsys.runs.grid.git import head, uncommitted

    try:
        whole = dict(json.loads((folder / PROVENANCE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        whole = {}
    code = {"commit": head(), "dirty": uncommitted(), "modules": _modules(), "after": ended}
    _write(folder, whole | {"resumed": [*whole.get("resumed", []), code]})


def _changed(folder: Path, spec: Spec) -> str | None:
    """A sentence about the first module that differs from what the sweep last ran with, or about the lost
    list of them; None if none does."""
    try:
        whole = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        before = dict([whole["code"], *whole.get("resumed", [])][-1]["modules"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return f"{PROVENANCE}, which says what code it ran, was lost or damaged"
    now = _modules()
    return next((f"{name} changed" for name, code in before.items() if now.get(name) != code), None)


def _put_aside(console: Console, folder: Path) -> None:
    """Move earlier trials to another folder (they are hours of work, so they are not deleted)."""
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
        console.print(f"[red]given up[/] {', '.join(given_up)}: every trial failed")
    table = status_table(folder)
    _print(console, table)
    return 1 if (table["done"] == 0).any() else 0


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
