"""Options of a data set of family "table": columns, kinds of event, times, how the files are written."""

import codecs
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recsys.data.tables import EVENT_KINDS

NUMBERS = ("price", "quantity", "rating", "position", "propensity")
TEXTS = ("query", "review")
OF_ITEMS = ("title", "description", "category")
EVENT_COLUMNS = ("user", "item", "time", "kind", *NUMBERS, *TEXTS, *OF_ITEMS)
ITEM_COLUMNS = ("item", *OF_ITEMS, "price")
DIRECTIVES = frozenset("aAbBcdfGHIjmMpSuUVwWxXyYzZ%")  # of strptime


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Times(_Options):
    """How times are written.

    format: "iso" (2024-05-01 13:45), "seconds", "milliseconds" or "microseconds" since 1970 (UTC), or a
        pattern of strptime such as "%d/%m/%Y %H:%M". It is never guessed: 01/02 can be two dates.
    zone: time zone of the shop. Tables hold its local time; numbers and times with an offset are converted
        to it, times without one are taken to be local already.
    first, last: ISO times, both included; events outside are dropped and counted (clocks that were wrong).
    """

    format: str = "iso"
    zone: str = "UTC"
    first: str | None = None
    last: str | None = None

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"no time zone {zone!r}: give a name such as Europe/Berlin or UTC") from None
        return zone

    @field_validator("format")
    @classmethod
    def _form(cls, form: str) -> str:
        if form not in ("iso", "seconds", "milliseconds", "microseconds") and "%" not in form:
            raise ValueError(
                f"format {form!r} is no pattern and none of iso, seconds, milliseconds, microseconds"
            )
        if unknown := [letter for letter in re.findall("%(.)", form) if letter not in DIRECTIVES]:
            raise ValueError(f"format {form!r}: strptime has no %{unknown[0]}")
        return form

    @field_validator("first", "last")
    @classmethod
    def _local(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            zone = datetime.fromisoformat(text).tzinfo
        except ValueError:
            raise ValueError(f"{text!r} is no ISO time such as 2017-11-25 or 2017-11-25 13:45") from None
        if zone is not None:
            raise ValueError(f"{text!r} has an offset: give the shop's local time")
        return text


class FileOptions(_Options):
    """How a file is written; Parquet files need only `columns`.

    columns: our name -> the file's, a number (from 0) where it has no header.
    """

    columns: dict[str, str | int]
    separator: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    header: bool = True
    last_line: Literal["whole", "drop"] = "whole"  # "drop": the last line was cut off in a copy of the file

    @field_validator("separator", "decimal")
    @classmethod
    def _one(cls, text: str) -> str:
        if len(text) != 1:
            raise ValueError(f"must be one character, not {text!r}")
        return text

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            return codecs.lookup(encoding).name
        except (LookupError, ValueError):
            raise ValueError(f"no encoding {encoding!r}: give a name such as utf-8, latin-1, gbk") from None

    @model_validator(mode="after")
    def _distinct(self):
        twice = [
            ours for ours, theirs in self.columns.items() if list(self.columns.values()).count(theirs) > 1
        ]
        if twice:
            raise ValueError(f"columns {' and '.join(twice)} are one column of the file")
        return self

    @model_validator(mode="after")
    def _numbered(self):
        kind = str if self.header else int
        wrong = [f"{ours}: {theirs!r}" for ours, theirs in self.columns.items() if type(theirs) is not kind]
        if wrong:
            form = "names" if self.header else "numbers from 0, as the file has no header"
            raise ValueError(f"columns must be {form}, got {wrong[0]}")
        return self


class EventOptions(FileOptions):
    """The file of events: columns user and item, and any other of EVENT_COLUMNS.

    kind: of every event, where no column says it.
    kinds: value of the column -> one of search, view, click, cart, purchase, or null: left out and counted.
    missing: "drop" leaves out, and counts, rows without a user, item, time or kind.
    """

    kind: str | None = None
    kinds: dict[str, str | None] = Field(default_factory=dict)
    time: Times = Times()
    missing: Literal["refuse", "drop"] = "refuse"

    @model_validator(mode="after")
    def _complete(self):
        _check_columns(self.columns, EVENT_COLUMNS, ("user", "item"))
        if ("kind" in self.columns) == (self.kind is not None):
            raise ValueError("either a column kind with its map `kinds`, or `kind` for all events")
        if "kind" in self.columns and not self.kinds:
            raise ValueError("kinds must map the values of the column kind")
        for kind in (self.kind, *self.kinds.values()):
            if kind is not None and kind not in EVENT_KINDS:
                raise ValueError(f"kind {kind!r} is none of {', '.join(EVENT_KINDS)}")
        return self


class ItemOptions(FileOptions):
    """The file of items: column item, and any other of ITEM_COLUMNS.

    category_separator: between the levels of a category path, where the file has such paths.
    """

    category_separator: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _complete(self):
        _check_columns(self.columns, ITEM_COLUMNS, ("item",))
        return self


class TableOptions(_Options):
    """All options of a data set of family "table": of its events file, and of its items file or None."""

    events: EventOptions
    items: ItemOptions | None = None


def _check_columns(columns: Mapping[str, Any], allowed: tuple[str, ...], needed: tuple[str, ...]) -> None:
    if unknown := [name for name in columns if name not in allowed]:
        raise ValueError(f"no column {unknown[0]!r} is known: {', '.join(allowed)}")
    if missing := [name for name in needed if name not in columns]:
        raise ValueError(f"columns must name {' and '.join(missing)}")


def fault(roles: set[str], options: Mapping[str, Any]) -> str | None:
    """What is wrong with an entry's options, in one line; None where nothing is."""
    try:
        read = TableOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["options", *map(str, first["loc"])])
        return f"{place}: {first['msg'].removeprefix('Value error, ')}"
    if ("items" in roles) != (read.items is not None):
        return "a file of role 'items' and options.items go together"
    return None
