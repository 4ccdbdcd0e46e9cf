"""`recsys sweep`: its options."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def sweep(
    spec: Annotated[str, typer.Argument(help="A sweep of experiments/sweeps by name, or a YAML file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be tried first.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show how it stands; it may be running.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write its page of figures.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the trials that are there.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: try those again that failed.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew; earlier trials are put aside, not removed.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster, e.g. auto; it must see this folder (docs/running.md).")
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Cores for a local Ray (default: all).")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder of the runs (default: experiments/runs).")] = None,
) -> None:
    """Search settings with Ray Tune: every method of the file gets the same budget, validation decides.

    Killed at any moment it goes on with --resume, from the log of trials that it keeps itself.

    Example: recsys sweep demo_item_knn --dry-run

    Exit status: 0 done, 1 a method found nothing in one of its repeats, 2 the command or the file is wrong.
    """
    from recsys.sweeps.command import status_command, sweep_command

    console = Console(highlight=False)
    if status:
        raise typer.Exit(status_command(console, spec, runs))
    if report:
        from recsys.sweeps.report import write_sweep_report

        console.print(f"Report: [bold]{write_sweep_report(Path(spec).stem, runs)}[/]", soft_wrap=True)
        raise typer.Exit()
    options = {"dry_run": dry_run, "resume": resume, "retry_failed": retry_failed, "restart": restart}
    raise typer.Exit(sweep_command(console, spec, **options, address=address, cores=cores, runs=runs))
