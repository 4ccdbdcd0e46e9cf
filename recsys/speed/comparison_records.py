"""A table of variants as a record's metrics, and records' metrics as a table of variants again."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

BETWEEN = ":"  # variant and figure: no variant's name has it


def flat(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, float]:
    """ "variant:column" -> number, of the rows and columns that are there and not empty.

    Args:
        frame: index of variants.
    """
    return {
        f"{variant}{BETWEEN}{column}": float(value)
        for column in columns
        if column in frame
        for variant, value in frame[column].dropna().items()
    }


def by_variant(records: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a record and variant, with `variant` and `column` beside the record's own columns.

    Args:
        records: of `recsys.runs.results.results`, metrics named by `flat`; an empty frame stays empty.
    """
    ending = BETWEEN + column
    names = [name for name in records if str(name).endswith(ending)]
    own = [name for name in records if BETWEEN not in str(name)]
    long = records.melt(own, names, "variant", column).dropna(subset=[column]) if names else records[:0]
    if len(long):
        long["variant"] = long["variant"].str.removesuffix(ending)
    return long
