"""What all commands of `recsys` share: no option may be given twice, and errors are one line."""

import io
import sys
from typing import Any

from typer.core import TyperCommand


class OnceEach(TyperCommand):
    """A command that refuses an option given twice, where click would silently keep the last one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            once = option.param_type_name == "option" and not (option.multiple or option.count)
            if once and sum(option is other for other in given) > 1:
                ctx.fail(f"{option.opts[0]} is given twice: give it once")
        return super().parse_args(ctx, args)


def print_anything() -> None:
    """Let what a terminal cannot show be replaced by a question mark: half a character, another alphabet."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def one_line(error: Exception) -> str | None:
    """The one-line message for a user; None for an error that is a bug of this kit and needs its traceback.

    Recognised are the exception classes of `recsys`, by the module that defines them (importing them all
    would cost a second at every start), and OSError: a place that is full, missing or not to be written.
    """
    if type(error).__module__.startswith("recsys."):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        place = " and ".join(str(name) for name in (error.filename, error.filename2) if name)
        told = error.strerror or str(error) or type(error).__name__
        return f"{place}: {told}" if place else " ".join(told.split())
    return None
