"""The tables that every data set is loaded into (items, users, events, judgements), and their schemas.

A column that a source lacks is absent, not faked; a column that is there has the meaning, type and range
given here. pandera checks them; it is imported on the first check because importing takes most of a second.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys.data.errors import TableError

if TYPE_CHECKING:
    from pandera.pandas import Check, DataFrameSchema

EVENT_KINDS = ("search", "view", "click", "cart", "purchase")
NO_ITEM = -1  # item of an event that names none: a search
SHOWN = 5  # rows quoted in an error message


@dataclass(frozen=True)
class Dataset:
    """One data set, N users and M items.

    name: as in the registry, for instance "beauty".
    items: M rows, row number == item code, in the order of the source's own ids. Columns: item (int64),
        source_id, and where known title, description, category ("A > B > C"), price, ...
    users: N rows, row number == user code. Columns: user (int64), source_id, and profile columns.
    events: what happened, sorted by user, then order. Columns: user, item (int64 codes; item is -1 for a
        search), kind (one of EVENT_KINDS), order (int64, place within the user's history, from 0, without
        gaps), and where known time (datetime64[ns]), query, position (rank shown, from 0), propensity
        (probability, in (0, 1], that the logging policy put this item there), rating (0.5 to 5, in
        most sources from 1), review, review_time (when rating and review were given, if not with the
        event), price (>= 0), quantity (>= 1).
    judgements: columns query, item, grade (>= 0), or None.
    cleaning: rows that the loader dropped, by reason. Reasons may overlap, so only
        "rows read" - "rows dropped" = "rows kept" adds up.
    """

    name: str
    items: pd.DataFrame
    users: pd.DataFrame
    events: pd.DataFrame
    judgements: pd.DataFrame | None = None
    cleaning: dict[str, int] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """Number of users, N."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue, M."""
        return len(self.items)

    @property
    def has_times(self) -> bool:
        """Whether the events have a column `time`."""
        return "time" in self.events


def check(dataset: Dataset) -> Dataset:
    """Check all tables against their schemas and return the data set.

    Raises:
        TableError: names data set, table, column, broken rule and the first rows that break it.
    """
    _validate(dataset, "items", dataset.items, _entity_schema("item", ("title", "description", "category")))
    _validate(dataset, "users", dataset.users, _entity_schema("user", ()))
    _validate(dataset, "events", dataset.events, _event_schema(dataset.n_users, dataset.n_items))
    _check_history(dataset)
    if dataset.judgements is not None:
        _validate(dataset, "judgements", dataset.judgements, _judgement_schema(dataset.n_items))
    return dataset


def place_in_history(users: pd.Series) -> np.ndarray:
    """Column `order` for events already sorted by user and time: 0, 1, 2, ... within each user, int64."""
    return users.groupby(users, sort=False).cumcount().to_numpy(np.int64)


def _entity_schema(code: str, texts: tuple[str, ...]) -> "DataFrameSchema":
    import pandera.pandas as pa

    row_number = pa.Check(
        lambda column: pd.Series(column.to_numpy() == np.arange(len(column)), index=column.index),
        name="equals the row number",
    )
    columns = {
        code: pa.Column("int64", row_number),
        "source_id": pa.Column(unique=True, nullable=False),
        **{text: pa.Column(checks=_text(), nullable=True, required=False) for text in texts},
        "price": pa.Column(checks=pa.Check.ge(0), nullable=True, required=False),
    }
    return pa.DataFrameSchema(columns, index=pa.Index("int64"), name=f"{code}s")


def _event_schema(n_users: int, n_items: int) -> "DataFrameSchema":
    import pandera.pandas as pa

    optional = {
        "time": pa.Column("datetime64[ns]", nullable=False, required=False),
        "query": pa.Column(checks=_text(), nullable=True, required=False),
        "position": pa.Column(checks=pa.Check.ge(0), nullable=True, required=False),
        "propensity": pa.Column(checks=[pa.Check.gt(0), pa.Check.le(1)], nullable=True, required=False),
        "rating": pa.Column(checks=pa.Check.in_range(0.5, 5), nullable=True, required=False),
        "review": pa.Column(checks=_text(), nullable=True, required=False),
        "review_time": pa.Column("datetime64[ns]", nullable=True, required=False),
        "price": pa.Column(checks=pa.Check.ge(0), nullable=True, required=False),
        "quantity": pa.Column(checks=pa.Check.ge(1), nullable=True, required=False),
    }
    columns = {
        "user": pa.Column("int64", pa.Check.in_range(0, n_users - 1)),
        "item": pa.Column("int64", pa.Check.in_range(NO_ITEM, n_items - 1)),
        "kind": pa.Column(checks=pa.Check.isin(EVENT_KINDS)),
        "order": pa.Column("int64", pa.Check.ge(0)),
        **optional,
    }
    return pa.DataFrameSchema(columns, index=pa.Index("int64", unique=True), name="events")


def _judgement_schema(n_items: int) -> "DataFrameSchema":
    import pandera.pandas as pa

    columns = {
        "query": pa.Column(checks=_text(), nullable=False),
        "item": pa.Column("int64", pa.Check.in_range(0, n_items - 1)),
        "grade": pa.Column(checks=pa.Check.ge(0), nullable=False),
    }
    return pa.DataFrameSchema(columns, name="judgements")


def _text() -> "Check":
    import pandera.pandas as pa

    return pa.Check(
        lambda column: pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty"),
        name="text or missing",
    )


def _validate(dataset: Dataset, table: str, frame: pd.DataFrame, schema: "DataFrameSchema") -> None:
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        raise TableError(_readable(dataset.name, table, errors.failure_cases)) from None


def _readable(name: str, table: str, cases: pd.DataFrame) -> str:
    """One line per broken rule: where, which rule, how many rows, the first of them."""
    lines = []
    for (column, rule), group in cases.groupby(["column", "check"], sort=False, dropna=False):
        place = f"{table}.{column}" if isinstance(column, str) and column != table else table
        rows = group["index"].dropna().drop_duplicates()
        values = group.dropna(subset="index").drop_duplicates("index")["failure_case"]
        shown = ", ".join(
            f"row {int(row)}: {value!r}" for row, value in zip(rows[:SHOWN], values[:SHOWN], strict=True)
        )
        detail = f" in {len(rows)} rows ({shown})" if len(rows) else f" ({group['failure_case'].iloc[0]})"
        lines.append(f"{place}: breaks {rule!r}{detail}")
    return f"data set {name}: " + "; ".join(lines)


def _check_history(dataset: Dataset) -> None:
    """Rules over several columns: `order` counts from 0 in sorted rows, times do not decrease."""
    events = dataset.events
    user = events["user"].to_numpy()
    same_user = user[1:] == user[:-1]
    expected = place_in_history(events["user"])
    nameless = (events["item"].to_numpy() == NO_ITEM) & (events["kind"].to_numpy() != "search")
    rules = {
        "events.item: none, which only a search may have": np.flatnonzero(nameless),
        "events.user: not sorted": np.flatnonzero(user[1:] < user[:-1]) + 1,
        "events.order: does not count 0, 1, 2, ... within a user": np.flatnonzero(
            events["order"].to_numpy() != expected
        ),
    }
    if dataset.has_times:
        time = events["time"].to_numpy()
        rules["events.time: runs back within a user"] = np.flatnonzero(same_user & (time[1:] < time[:-1])) + 1
    for rule, rows in rules.items():
        if len(rows):
            first = ", ".join(map(str, rows[:SHOWN]))
            raise TableError(f"data set {dataset.name}: {rule} ({len(rows)} rows, first at {first})")
