"""Weekly sales of series (stores, products) as one long table: any CSV, by a registry entry.

Options of an entry: `series`, `date`, `sales` name the columns; `date_format` is strptime's, for instance
"%d-%m-%Y" (a day that stands first is not guessed); `holiday` names a column of 0 and 1 that is known in
advance. Columns that are known only afterwards (temperature, fuel price) are not read: as features they would
be a leak.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.registry import Source
from recsys.data.sectors.tables import SectorTables, fault_of, read_rows

REQUIRED = ("series", "date", "sales", "date_format")


def load(source: Source) -> SectorTables:
    """Table "sales": series (str), week (datetime64[ns], Monday), sales (float ≥ 0), holiday (bool).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.sectors.tables.load_tables`; NotData also for a date
            of another form, and for two rows of one series in one week.
    """
    sources.note_options(source)
    named = source.options
    types = {named["series"]: str, named["date"]: str, named["sales"]: float}
    if "holiday" in named:
        types[named["holiday"]] = float
    raw = read_rows(source, "sales", types)
    try:
        date = pd.to_datetime(raw[named["date"]], format=named["date_format"])
    except ValueError as error:
        raise NotData(f"data set {source.name}: a date is not {named['date_format']} ({error})") from None
    table = pd.DataFrame(
        {"series": raw[named["series"]], "week": date - pd.to_timedelta(date.dt.dayofweek, "D")}
    )
    table["week"] = table["week"].astype("datetime64[ns]")
    table["sales"] = raw[named["sales"]]
    table["holiday"] = raw[named["holiday"]] > 0 if "holiday" in named else False
    faults = {"sales missing": table["sales"].isna(), "sales below zero": table["sales"] < 0}
    kept = table[~(faults["sales missing"] | faults["sales below zero"])]
    if kept.duplicated(["series", "week"]).any():
        twice = kept[kept.duplicated(["series", "week"])].iloc[0]
        raise NotData(f"data set {source.name}: series {twice['series']} has two rows in one week")
    counts = {reason: int(rows.sum()) for reason, rows in faults.items()}
    return SectorTables(source.name, source.family, {"sales": kept.reset_index(drop=True)}, counts)


def _fault(roles: set[str], options: Mapping[str, Any]) -> str | None:
    return fault_of(options, REQUIRED, (*REQUIRED, "holiday"))


FAMILY = Family(load, ("sales",), _fault)
