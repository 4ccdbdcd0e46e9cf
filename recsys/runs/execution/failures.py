"""How a run fails."""


class RunFailed(Exception):
    """A run ended without a record that can stand; the message is what the reader is told."""

    def __init__(self, reason: str, cell: int | None = None, source: str = "", trace: str = "") -> None:
        super().__init__(reason)
        self.cell, self.source, self.trace = cell, source, trace
