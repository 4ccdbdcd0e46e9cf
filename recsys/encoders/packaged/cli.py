"""`recsys models list`: the packaged models, their licences, and whether they are installed."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.command_line import OnceEach

if TYPE_CHECKING:
    from recsys.encoders.packaged.packaged_model import PackagedModel

console = Console(highlight=False)
models_commands = typer.Typer(no_args_is_help=True)


@models_commands.callback()
def models() -> None:
    """Pretrained models whose weights lie inside packages of the Python index."""


@models_commands.command("list", cls=OnceEach)
def list_models(
    kind: Annotated[str | None, typer.Option(help="text | picture | sound; all when left out.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also the whole sha256, the original, and what is not said.")
    ] = False,
) -> None:
    """Every packaged model: kind, licence, size, package, sha256 of its weights, and whether it is here.

    "here" means that the weights were read and have the pinned sha256. For a missing model the command that
    installs it is shown.

    Example: recsys models list --kind text
    """
    from recsys.encoders.packaged.packaged_model import PackagedError
    from recsys.encoders.packaged.registry import KINDS, packaged_models

    if kind not in (None, *KINDS):
        raise PackagedError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    table = Table()
    for name in ("model", "kind", "numbers", "MB", "licence", "package", "sha256", "state"):
        table.add_column(name, overflow="fold", no_wrap=name == "model")  # a name cut off could not be typed
    missing, notes = [], []
    for model in packaged_models(kind):
        state = _state(model)
        table.add_row(
            model.name,
            model.kind,
            f"{model.parameters / 1e6:.1f} M",
            f"{model.size / 1e6:.1f}",
            escape(model.licence),
            f"{model.package} {model.version}",
            model.files[0].sha256[:12],
            escape(state.partition(":")[0]),
        )
        if state == "not installed":
            missing.append(f"{model.name} (extra {model.extra}): {model.command}")
        elif state != "here":
            missing.append(f"{model.name}: {state}")
        notes.append(model)
    console.print(table)
    for line in missing:
        console.print(escape(line), soft_wrap=True)
    if full:
        for model in notes:
            console.print(f"[bold]{model.name}[/]: {escape(model.original)}", soft_wrap=True)
            console.print(f"  licence {escape(model.licence)}: {escape(model.licence_from)}", soft_wrap=True)
            console.print(f"  not said: {escape(model.not_said)}", soft_wrap=True)
            for file in model.files:
                console.print(f"  {file.sha256}  {file.place} ({file.size:,} bytes)", soft_wrap=True)


def _state(model: "PackagedModel") -> str:
    """As `PackagedModel.state`; and whether what reads the weights is installed."""
    state = model.state()
    lacking = [one for one in model.beside if not find_spec(one.partition("==")[0].replace("-", "_"))]
    return f"not readable: install {' '.join(lacking)}" if state == "here" and lacking else state
