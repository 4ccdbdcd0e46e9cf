"""`recsys scores`: lists the runs that kept candidate scores, and shows one user's list."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.command_line import OnceEach
from recsys.runs import paths

console = Console(highlight=False)
scores_commands = typer.Typer(no_args_is_help=True)


@scores_commands.command("list", cls=OnceEach)
def list_scores(
    experiment: Annotated[str | None, typer.Argument(help="Of one experiment; all when left out.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the runs.")] = paths.RUNS,
) -> None:
    """Every run that kept scores: model, data set, part, users, and how many candidates of each.

    Example: recsys scores list 09_members
    """
    from recsys.runs.kept_scores.scores import found_scores

    table = Table("run", "model", "data set", "part", "users", "kept")
    count = 0
    if experiment is not None and not (paths.given_runs(runs) / experiment).is_dir():
        from recsys.runs.grid.experiment import choose, load_experiments

        choose(load_experiments(), [experiment])  # a misspelt name is told as such
    for found in found_scores(paths.given_runs(runs), experiment):
        run = f"{found.path.parent.parent.name}/{found.path.parent.name}"
        row = (run, found.name, found.identity.dataset, found.part, f"{found.users:,}", str(found.top))
        table.add_row(*map(escape, row))
        count += 1
    console.print(table if count else "No run kept scores; recsys run 09_members makes some.")


@scores_commands.command("show", cls=OnceEach)
def show_scores(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    user: Annotated[int, typer.Argument(help="The user's code.")],
    part: Annotated[str, typer.Option(help="validation or test.")] = "test",
    top: Annotated[int, typer.Option(min=1, help="Candidates to show.")] = 10,
) -> None:
    """One user's best candidates by a run: item code, score, and score in standard deviations of the row.

    Example: recsys scores show experiments/runs/09_members/RUN 17 --part validation
    """
    import numpy as np

    from recsys.runs.kept_scores.scores import load_scores

    lists = load_scores(run, part).of(np.array([user]))
    spread = float(lists.spread[0]) or 1.0
    table = Table("place", "item", "score", "z-score", title=f"{lists.name}, user {user}, {part}")
    for place, (item, score) in enumerate(zip(lists.ids[0, :top], lists.scores[0, :top], strict=True), 1):
        if item >= 0:
            z = (float(score) - float(lists.mean[0])) / spread
            table.add_row(str(place), str(item), f"{score:.5g}", f"{z:.2f}")
    console.print(table)
