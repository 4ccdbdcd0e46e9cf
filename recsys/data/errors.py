"""Exceptions of the data room: what can go wrong between a public source and a checked table.

Every message is one line that says what was wrong and how to mend it, so that the runner can report
"not run: <message>" and the command line can print it without a traceback.
"""


def one_line(message: str) -> str:
    """Line breaks and runs of blanks become single blanks."""
    return " ".join(str(message).split())


class DataUnavailable(OSError):
    """A file of a data set is missing and cannot be fetched, or its content cannot be trusted."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class NoNetwork(DataUnavailable):
    """The server could not be reached, or refused."""


class Truncated(DataUnavailable):
    """The file is incomplete: fewer bytes were sent, or lie on disk, than belong to it."""


class WrongChecksum(DataUnavailable):
    """The file is complete but its sha256 is not the pinned one."""


class NotData(DataUnavailable):
    """The content is not what the registry describes: an HTML page, another format, a damaged archive."""


class UnsafeContent(DataUnavailable):
    """An archive that would write outside its folder, or a pickle that would run foreign code."""


class DiskFull(DataUnavailable):
    """No space left where the file should go."""


class CacheNotWritable(DataUnavailable):
    """The cache folder cannot be created or written."""


class RegistryError(ValueError):
    """A wrong entry of the source registry, or a name that it does not have."""


class TableError(ValueError):
    """A table breaks the schema that all of recsys relies on."""


class LeakError(ValueError):
    """A split, or a text for training, contains something that training must not see."""
