"""The exception of a failed run."""

MOST_OF_REASON, MOST_OF_LINE, MOST_LINES = 2_000, 400, 200  # characters and lines that are kept


class RunFailed(Exception):
    """A run ended without a valid record; the message is shown to the user.

    An exception's text may hold a whole array, or what no terminal can print: it is cut and made printable.
    """

    def __init__(self, reason: str, cell: int | None = None, source: str = "", trace: str = "") -> None:
        super().__init__(_cut(reason, MOST_OF_REASON))
        self.cell, self.source = cell, source
        self.trace = "\n".join(_cut(line, MOST_OF_LINE) for line in trace.splitlines()[-MOST_LINES:])


def _cut(text: str, most: int) -> str:
    more = f" ... ({len(text):,} characters)" if len(text) > most else ""
    return text[:most].encode("utf-8", "replace").decode() + more
