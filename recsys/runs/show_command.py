"""The work of `recsys show` and `recsys status`, without the parsing of their options."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.runs import paths
from recsys.runs.command import plan_table
from recsys.runs.grid.experiment import choose, load_experiments
from recsys.runs.grid.plan import declared_parameters, plan


def status_command(console: Console, names: list[str], profile: str, runs: Path | None) -> None:
    """Print which runs of the chosen grids are up to date, and why the others are not."""
    planned = plan(choose(load_experiments(), names), profile, runs=paths.given_runs(runs or paths.RUNS))
    console.print(plan_table(planned))
    console.print(f"{sum(run.reason is None for run in planned)} of {len(planned)} runs are up to date.")


def show_command(console: Console, name: str) -> None:
    """Print an experiment's question, its notebook's parameters, its grids and their budgets."""
    chosen, *others = choose(load_experiments(), [name])
    console.print(f"[bold]{chosen.name}[/]  {chosen.notebook}\n{escape(chosen.question)}\n")
    table = Table("parameter", "type", "default", "meaning", title="Parameters (-p name=value)")
    for p in declared_parameters(chosen).values():
        table.add_row(p.name, escape(p.annotation), repr(p.default), escape(p.meaning))
    console.print(table)
    for profile in chosen.profiles:
        count = sum(1 for _ in chosen.cells(profile))
        console.print(f"{profile:>10}: {count} runs, budget {chosen.budget.get(profile, 'not stated')}")
    if others:
        named = ", ".join(other.name for other in others)
        console.print(f"Others that begin with {escape(name)}: {named}", soft_wrap=True)
