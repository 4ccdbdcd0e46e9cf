"""Events of a stream: one JSON object per line, checked field by field; bad lines become dead letters.

| field | rule |
|---|---|
| id | whole number in [0, 2^63) given by the producer, the same when sent again; unique within a user |
| user | whole number ≥ 0; null or absent: anonymous, counts for popularity but for no user's state |
| item | whole number ≥ 0; null only for a search |
| kind | search, view, click, cart, purchase, return |
| time | ISO 8601 *with* offset or Z, or whole milliseconds since 1970 UTC |
| received | optional, the collector's clock, ms; `time` may be ahead of it by `CLOCK_TOLERANCE` at most |
| quantity | optional whole number ≠ 0, 1 when absent; a negative one makes a purchase a return |

A time without a zone is refused, because a guess could be wrong by hours.

A client's clock can be wrong; the collector's clock is trusted. Times before `EARLIEST` (1970 after a flat
battery) and times after their reception (the year 9999) become dead letters: one of the latter would push the
watermark past all other events. Without `received` the bound is `LATEST`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

KINDS = ("search", "view", "click", "cart", "purchase", "return")
KIND = {name: code for code, name in enumerate(KINDS)}
SEARCH, VIEW, CLICK, CART, PURCHASE, RETURN = range(len(KINDS))
ANONYMOUS, NO_ITEM = -1, -1
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # milliseconds
EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp() * 1000)
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
CLOCK_TOLERANCE = 5 * MINUTE
LARGEST = 2**63
MOST_PIECES = 10**9
LONGEST_LINE = 10_000  # characters; no event needs more, and dead letters are stored completely

# One event as a row: offset is its place in the log it came from, time is in milliseconds since 1970 UTC.
EVENT = np.dtype(
    [
        ("offset", "<i8"),
        ("id", "<i8"),
        ("user", "<i8"),
        ("item", "<i8"),
        ("kind", "<i8"),
        ("time", "<i8"),
        ("quantity", "<i8"),
    ]
)


class Event(NamedTuple):
    """One checked event; fields as in `EVENT` without the offset."""

    id: int
    user: int
    item: int
    kind: int
    time: int
    quantity: int = 1


class Letter(NamedTuple):
    """A dead letter: the line's offset, why it was refused, and the line itself."""

    offset: int
    reason: str
    line: str


class BadEvent(ValueError):
    """A line breaks a rule; the message is the reason."""


def parse_line(line: str) -> Event:
    """Parse and check a line.

    Raises:
        BadEvent: names the first rule that it breaks.

    Example:
        >>> parse_line('{"id": 7, "user": 3, "item": 5, "kind": "click", "time": "2017-11-25T09:00:00Z"}')
        Event(id=7, user=3, item=5, kind=2, time=1511600400000, quantity=1)
    """
    if len(line) > LONGEST_LINE:
        raise BadEvent(f"longer than {LONGEST_LINE} characters")
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        raise BadEvent("not JSON") from None
    if type(raw) is not dict:
        raise BadEvent("not a JSON object")
    number = _code(raw.get("id"), "id")
    user = raw.get("user")
    user = ANONYMOUS if user is None else _code(user, "user")
    kind = KIND.get(raw["kind"], -1) if type(raw.get("kind")) is str else -1
    if kind < 0:
        raise BadEvent("kind: unknown")
    item = raw.get("item")
    if item is None:
        if kind != SEARCH:
            raise BadEvent("item: missing")
        item = NO_ITEM
    else:
        item = _code(item, "item")
    quantity = raw.get("quantity", 1)
    if type(quantity) is not int or quantity == 0 or abs(quantity) > MOST_PIECES:
        raise BadEvent("quantity: not a whole number other than 0")
    if quantity < 0:
        if kind not in (PURCHASE, RETURN):
            raise BadEvent("quantity: negative, but neither purchase nor return")
        kind = RETURN
    return Event(number, user, item, kind, _time(raw), abs(quantity))


def parse_lines(lines: Iterable[str], offsets: Iterable[int]) -> tuple[np.ndarray, list[Letter]]:
    """Checked events of many lines, and the dead letters among them.

    Returns:
        [K] rows of `EVENT` in the order of the lines, and the dead letters; blank lines count as bad.
    """
    rows, letters = [], []
    for line, offset in zip(lines, offsets, strict=True):
        try:
            rows.append((offset, *parse_line(line)))
        except BadEvent as reason:
            letters.append(Letter(offset, str(reason), line[:LONGEST_LINE]))
    return np.array(rows, dtype=EVENT), letters


def to_line(event: Event, received: int | None = None) -> str:
    """An event as a JSON line, the inverse of `parse_line`."""
    raw: dict[str, Any] = {
        "id": event.id,
        "user": None if event.user == ANONYMOUS else event.user,
        "item": None if event.item == NO_ITEM else event.item,
        "kind": KINDS[event.kind],
        "time": event.time,
        "quantity": -event.quantity if event.kind == RETURN else event.quantity,
    }
    if received is not None:
        raw["received"] = received
    return json.dumps(raw, separators=(",", ":"))


def as_events(rows: np.ndarray) -> list[Event]:
    """Rows of `EVENT` as tuples."""
    return [Event(*row[1:]) for row in rows.tolist()]


def as_rows(events: Iterable[Event], first_offset: int = 0) -> np.ndarray:
    """Tuples as rows of `EVENT`, offsets counted from `first_offset`."""
    return np.array([(first_offset + n, *event) for n, event in enumerate(events)], dtype=EVENT)


def _code(value: Any, field: str) -> int:
    if value is None:
        raise BadEvent(f"{field}: missing")
    if type(value) is not int or not 0 <= value < LARGEST:  # True is an int to Python
        raise BadEvent(f"{field}: not a whole number of at least 0")
    return value


def _time(raw: dict[str, Any]) -> int:
    value = raw.get("time")
    if type(value) is str:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise BadEvent("time: unreadable") from None
        if moment.tzinfo is None:
            raise BadEvent("time: without time zone")
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
        value = delta.days * DAY + delta.seconds * 1000 + delta.microseconds // 1000
    elif type(value) is not int:
        raise BadEvent("time: missing" if value is None else "time: unreadable")
    received = raw.get("received")
    if received is not None and (type(received) is not int or not EARLIEST <= received < LATEST):
        raise BadEvent("received: unreadable")
    if value < EARLIEST:
        raise BadEvent("time: before 1990")
    if value >= LATEST or (received is not None and value > received + CLOCK_TOLERANCE):
        raise BadEvent("time: ahead of its reception")
    return value
