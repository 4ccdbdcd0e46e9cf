"""What every command of `recsys` shares: options that are taken once, errors in one line."""

from typing import Any

from typer.core import TyperCommand


class OnceEach(TyperCommand):
    """A command that refuses an option given twice: the last one alone would count, without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            once = option.param_type_name == "option" and not (option.multiple or option.count)
            if once and sum(option is other for other in given) > 1:
                ctx.fail(f"{option.opts[0]} is given twice: give it once")
        return super().parse_args(ctx, args)


def one_line(error: Exception) -> str | None:
    """What a user is told of an error; None for one that is a fault of this kit and needs its traceback.

    Every exception class of this package carries a message for people; importing them all, to name them,
    would cost a second of scipy at every start. An OSError that comes this far is the system's word on a
    place that is full, missing, or not to be read or written.
    """
    if type(error).__module__.startswith("recsys."):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        place = " and ".join(str(name) for name in (error.filename, error.filename2) if name)
        told = error.strerror or str(error) or type(error).__name__
        return f"{place}: {told}" if place else " ".join(told.split())
    return None
