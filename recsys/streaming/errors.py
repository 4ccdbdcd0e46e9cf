"""Errors of stream processing; each message is one line that says how to mend it."""

from recsys.data.errors import one_line


class StreamError(RuntimeError):
    """Base class of the errors of stream processing."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class NoJava(StreamError):
    """Spark cannot start: no Java of version 17 or newer, or pyspark is not installed."""


class NoRedis(StreamError):
    """A Redis server cannot be started or reached."""


class StoreMismatch(StreamError):
    """A feature store was written with another layout of the state or another number of shards."""
