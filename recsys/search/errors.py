"""The error of this room."""


class SearchError(ValueError):
    """A catalogue, an index or a query that cannot be served; the message says what is wrong and what to
    do."""
