"""Tables of applications that are no log of one shop and no labelled texts: one door, plain tables.

A family says which tables it gives and which columns they have. What a source holds of people (names, sex,
family, year of birth) is not read at all: what is not in a table can't end in a record.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData, RegistryError
from recsys.data.families import SECTORS
from recsys.data.files.archives import read_bytes
from recsys.data.labelled.dataset import file_of
from recsys.data.registry import Source, unknown

FIRST_ROWS = 3  # shown by describe_tables
PRIVATE = {"insurance", "drug_reviews"}  # families of which no row is shown: they speak of persons


@dataclass(frozen=True)
class SectorTables:
    """One data set.

    name: as in the registry. family: of `recsys.data.families.SECTORS`.
    tables: by name; the family's module says which, and their columns.
    cleaning: what was met and dropped, by reason.
    """

    name: str
    family: str
    tables: Mapping[str, pd.DataFrame]
    cleaning: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.tables[table]


def load_tables(name: str, family: str | None = None) -> SectorTables:
    """A data set by name.

    Args:
        name: "walmart_weekly", "phones_to_sports", "sports_to_phones", "zimnat_insurance", "drug_reviews",
            "courses", or an entry of RECSYS_SOURCES with one of these families.
        family: which the caller can use; another one is refused. None takes any.

    Raises:
        RegistryError: no such data set, or of another family; the message names those that there are.
        DataUnavailable: a file cannot be had, or is not what the family reads; one line says how to mend it.

    Example:
        >>> load_tables("courses")["courses"]["title"].head()
    """
    every = sources.all_sources()
    families = set(SECTORS) if family is None else {family}
    known = [source.name for source in every.values() if source.family in families]
    if name not in known:
        raise RegistryError(unknown(f"{family or 'sector'} data set", name, known, "the registry"))
    source = every[name]
    return SECTORS.load(source.family).load(source)


def read_rows(
    source: Source,
    role: str,
    types: Mapping[str, type],
    *,
    separator: str = ",",
    header: bool = True,
) -> pd.DataFrame:
    """The named columns of a table of text, and no other column.

    Args:
        types: column -> str, int or float. Texts come trimmed, a missing one is "".
        separator: between fields; fields in quotes may hold it, and line breaks.
        header: whether the first line names the columns; without one `types` names the first columns in
            order.

    Raises:
        RegistryError: the entry has no file with that role.
        DataUnavailable: the file cannot be had, or (NotData) is no such table; one line says what is wrong.
    """
    path = sources.local_file(source.name, file_of(source, role))
    named: dict[str, Any] = {} if header else {"header": None, "names": list(types), "usecols": [*types]}
    if header:
        named["usecols"] = lambda column: column.strip() in types
    try:
        table = pd.read_csv(
            io.StringIO(read_bytes(path).decode("utf-8-sig")),
            sep=separator,
            dtype={column: object if kind is str else kind for column, kind in types.items()},
            keep_default_na=False,
            na_values={column: [""] for column, kind in types.items() if kind is not str},
            **named,
        )
    except UnicodeDecodeError as error:
        raise NotData(f"{path}: not UTF-8 text (byte {error.start}); is it the right file?") from None
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise NotData(f"{path}: no readable table of {source.family} ({error})") from None
    missing = [column for column in types if column not in table]
    if missing or table.empty:
        wrong = f"column missing: {', '.join(missing)}" if missing else "a table without rows"
        raise NotData(f"{path}: {wrong}; is it the right file?")
    for column in (column for column, kind in types.items() if kind is str):
        table[column] = table[column].fillna("").astype(str).str.split().str.join(" ")
    return table[list(types)]


def fault_of(options: Mapping[str, Any], required: Sequence[str], allowed: Sequence[str]) -> str | None:
    """What is wrong with an entry's options, for `Family.fault`: a name missing or unknown, else None."""
    missing = [name for name in required if name not in options]
    strange = [name for name in options if name not in allowed]
    if missing:
        return f"options lack {', '.join(missing)}"
    return f"options have no {', '.join(strange)}; there are {', '.join(allowed)}" if strange else None


def describe_tables(name: str) -> dict[str, Any]:
    """What `recsys data show` prints: provenance, sizes, columns, cleaning, first rows (of no person).

    Raises:
        as `load_tables`.
    """
    data = load_tables(name)
    entry = next(row for row in sources.listing() if row["name"] == name)
    facts = {key: entry[key] for key in ("name", "title", "licence", "source", "size", "where")}
    for table, rows in data.tables.items():
        columns = ", ".join(f"{column} ({kind})" for column, kind in rows.dtypes.items())
        facts[table] = f"{len(rows):,} rows: {columns}"
        if data.family not in PRIVATE:
            head = rows.head(FIRST_ROWS).to_string(index=False, max_colwidth=60, max_cols=8)
            facts[f"{table}, first rows"] = f"\n{head}"
    facts["cleaning"] = ", ".join(f"{reason}: {count:,}" for reason, count in data.cleaning.items())
    return facts
