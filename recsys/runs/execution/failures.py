"""The exception of a failed run."""


class RunFailed(Exception):
    """A run ended without a valid record; the message is shown to the user."""

    def __init__(self, reason: str, cell: int | None = None, source: str = "", trace: str = "") -> None:
        super().__init__(reason)
        self.cell, self.source, self.trace = cell, source, trace
