"""The command `recsys`: run grids of notebooks, see what is up to date, verify, report, fetch data."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from recsys.command_line import OnceEach, one_line, print_anything
from recsys.data.cli import data_commands
from recsys.encoders.packaged.cli import models_commands
from recsys.runs import paths
from recsys.runs.kept_scores.cli import scores_commands
from recsys.search.cli import search_command
from recsys.streaming.cli import replay_command
from recsys.sweeps.cli import sweep

console = Console(highlight=False)
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Reproduce, check and extend the experiments of this kit. An [b]experiment[/] is a YAML file in "
    "experiments/, a [b]run[/] one headless execution of its notebook, a [b]record[/] what the run measured, "
    "a [b]claim[/] one sentence of the two articles with a statistical test over records, a [b]verdict[/] "
    "the outcome of that test.",
    epilog="Start with: recsys run --profile quick --data demo, then recsys report. Each command's --help "
    "has an example; docs/running.md explains grids and records, docs/glossary.md the words.",
)
app.add_typer(data_commands, name="data", help="List, fetch and show the data sets.")
app.command("search", cls=OnceEach)(search_command)
app.command("replay", cls=OnceEach)(replay_command)
app.add_typer(scores_commands, name="scores", help="List and show the scores that runs kept for fusion.")
app.add_typer(models_commands, name="models", help="List the packaged models, and whether they are here.")
app.command(cls=OnceEach)(sweep)

Experiments = Annotated[
    list[str] | None,
    typer.Argument(help="Experiment names or their leading words (02, 02_text); all when left out."),
]
PROFILES = "smoke (tests) | quick (minutes, a laptop) | reference (the committed results) | full (GPU)."
ONLY = "Keep runs that match: name=value, an experiment's name, part of a run's name. Repeat to narrow."
Profile = Annotated[str, typer.Option(help=PROFILES)]
Only = Annotated[list[str] | None, typer.Option(help=ONLY)]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--parameter", metavar="NAME=VALUE", help="In every cell; a profile's other values stay."
    ),
]
Runs = Annotated[Path | None, typer.Option(help="Folder of the runs (default: experiments/runs).")]


def main() -> None:
    """Entry point: turns the kit's own errors, and the system's, into one line and exit status 2."""
    print_anything()
    try:
        app()
    except Exception as error:
        if (told := one_line(error)) is None:
            raise
        Console(stderr=True).print(f"[bold red]error:[/] {escape(told)}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from None


@app.command(cls=OnceEach)
def run(
    experiments: Experiments = None,
    profile: Profile = "quick",
    data: Annotated[
        str, typer.Option(help="demo (embedded, no network) | real (downloaded or from RECSYS_DATA) | all.")
    ] = "all",
    only: Only = None,
    seed: Annotated[list[int] | None, typer.Option(help="Use these seeds instead of the grid's.")] = None,
    parameter: Override = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="One run: the notebook's own values.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, and why.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run also what is up to date.")] = False,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster, e.g. 10.0.0.5:6379; it must see this folder (docs/running.md)."),
    ] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Cores for a local Ray (default: all).")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each run, instead of the experiment's.")
    ] = None,
    runs: Runs = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Run the reference profile from uncommitted code.")
    ] = False,
) -> None:
    """Run the grids of experiments; what is up to date is skipped.

    A run is out of date when its notebook's code, its parameters, the code of recsys that it can reach,
    a data file that it read or a package version changed. Comments and layout don't count.

    Examples:

      recsys run                                   every experiment, quick profile

      recsys run 00 --data real --dry-run          which runs on real data are due

      recsys run 00 -p dataset=beauty -p scorer=popularity

      recsys run 14_demand --defaults -p dataset=my_shop  your data, at full size

    Exit status: 0 all done, 1 a run failed or nothing could run, 2 the command itself is wrong.
    """
    from recsys.runs.command import run_command

    status = run_command(
        console,
        experiments or [],
        profile,
        data=data,
        only=only or [],
        seeds=seed,
        overrides=parameter or [],
        defaults=defaults,
        dry_run=dry_run,
        force=force,
        address=address,
        cores=cores,
        threads=threads,
        runs=runs,
        allow_dirty=allow_dirty,
    )
    raise typer.Exit(status)


@app.command(cls=OnceEach)
def status(experiments: Experiments = None, profile: Profile = "quick", runs: Runs = None) -> None:
    """Show which runs are up to date, and why the others are not.

    Example: recsys status 00 --profile smoke
    """
    from recsys.runs.show_command import status_command

    status_command(console, experiments or [], _profile(profile), runs)


@app.command(cls=OnceEach)
def show(experiment: Annotated[str, typer.Argument(help="Its name or leading number.")]) -> None:
    """Explain an experiment: its question, its notebook's parameters, its grids and their budgets.

    Example: recsys show 00_data_and_splits
    """
    from recsys.runs.show_command import show_command

    show_command(console, experiment)


@app.command(cls=OnceEach)
def verify(
    rerun: Annotated[
        int, typer.Option("--rerun", min=0, help="Also repeat the cheapest record of this many experiments.")
    ] = 0,
) -> None:
    """Check every committed number: ranks against records, records against prose, claims against records.

    Records whose code has changed since are listed with what changed. Exit status 1: what disagrees is named.

    Example: recsys verify --rerun 1             also repeat one record at its own commit
    """
    from recsys.runs.evidence.verify import verify_all

    problems, checked = verify_all(rerun=rerun, say=console.print)
    for problem in problems:
        console.print(f"[red]✗[/] {escape(problem)}", soft_wrap=True)
    console.print(f"{checked} numbers checked, {len(problems)} disagree.")
    raise typer.Exit(1 if problems else 0)


@app.command(cls=OnceEach)
def report(
    out: Annotated[Path, typer.Option(help="Folder of the HTML site.")] = paths.REPORT, runs: Runs = None
) -> None:
    """Write the HTML report (works from disk, offline) and print the verdict table with its totals.

    Runs of the smoke profile are left out: they show that everything runs, not what holds.

    Example: recsys report --out /tmp/site
    """
    from recsys.runs.report.command import report_command

    report_command(console, out, runs or paths.RUNS)


@app.command(cls=OnceEach)
def power(
    experiment: Annotated[str, typer.Argument(help="Its name or leading number.")],
    profile: Annotated[str, typer.Option(help="The profile whose grid is examined.")] = "reference",
    state: Annotated[
        bool,
        typer.Option("--state", help="Keep it in experiments/power, to be committed before the records."),
    ] = False,
) -> None:
    """Say, before anything runs, which effects a grid can detect, and which claims it cannot decide.

    Example: recsys power 02_bert_fine_tuning --profile reference
    """
    if state:
        from recsys.runs.evidence.power_statement import state_power

        state_power(console, experiment, _profile(profile))
        return
    from recsys.runs.evidence.power_command import power_command

    power_command(console, experiment, _profile(profile))


@app.command(cls=OnceEach)
def rerun(
    record: Annotated[
        str,
        typer.Argument(help="A committed record: experiment/run, the run's name, or its last eight digits."),
    ],
) -> None:
    """Repeat a committed run at its own commit and demand the same numbers.

    The commit is checked out into a git worktree and the run is made there with the installed packages.
    Metrics must be equal: bit for bit on the same processor with the same kernels for matrices, else to 1e-4.

    Example: recsys rerun 01_loss_derivation/dataset=beauty-objective=bce-trials=1-steps=100-seed=1-82030f7e

    Exit status: 0 equal, 1 not equal, 2 it cannot be repeated.
    """
    from recsys.runs.evidence.rerun_command import rerun_command

    raise typer.Exit(rerun_command(console, record))


@app.command(cls=OnceEach)
def findings() -> None:
    """Write docs/findings.md, docs/streaming_sizing.md and the README's numbers and ladder from the records.

    Their templates, docs/*.template.md, hold a selector wherever a number belongs, such as
    {{ 00_data_and_splits | dataset=beauty, scorer=random | ndcg@10 | .4f }}.
    """
    from recsys.runs.records import load_records
    from recsys.runs.report.documents import write_documents

    console.print(f"Written: {', '.join(write_documents(load_records(paths.REFERENCE)))}")


@app.command(cls=OnceEach)
def publish(
    experiments: Experiments = None,
    runs: Runs = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove committed records that the grid no longer holds.")
    ] = False,
) -> None:
    """Copy finished reference runs into experiments/reference, to be committed.

    Only records made by the reference (or full) profile from committed code are taken. Nothing is deleted
    without --prune; what it would delete is listed.

    Example: recsys run 00 --profile reference, then recsys publish 00
    """
    from recsys.runs.evidence.publish import publish_reference

    for line in publish_reference(experiments or [], runs or paths.RUNS, prune=prune):
        console.print(line, soft_wrap=True)


@app.command(cls=OnceEach)
def export(
    ro_crate: Annotated[Path, typer.Option("--ro-crate", help="A new folder for the RO-Crate.")],
    experiments: Experiments = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the runs (default: the committed records).")
    ] = None,
) -> None:
    """Write records as an RO-Crate (Process Run Crate): for archives such as Zenodo and WorkflowHub.

    Example: recsys export --ro-crate /tmp/crate 00_data_and_splits
    """
    from recsys.runs.evidence.export.ro_crate import export
    from recsys.runs.grid.experiment import choose, load_experiments
    from recsys.runs.records import load_records

    chosen = {one.name for one in choose(load_experiments(), experiments or [])}
    found = load_records(paths.given_runs(runs or paths.REFERENCE))
    records = [one for one in found if one.experiment in chosen]
    console.print(f"{export(records, ro_crate)} runs written to {escape(str(ro_crate))}", soft_wrap=True)


def _profile(name: str) -> str:
    from recsys.runs.grid.experiment import PROFILES, ExperimentError

    if name not in PROFILES:
        raise ExperimentError(f"no profile '{name}'; there are {', '.join(PROFILES)}")
    return name


if __name__ == "__main__":
    main()
