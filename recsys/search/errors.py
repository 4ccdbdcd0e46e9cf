"""The error of this room."""


class SearchError(ValueError):
    """A catalogue, an index or a query cannot be used; the message says why and what to do."""
