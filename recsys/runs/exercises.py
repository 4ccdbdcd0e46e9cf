"""Answers to a notebook's exercises, told right or not yet."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def check_answers(
    yours: Sequence[float | None], right: Sequence[float], within: float = 0.01, names: Sequence[str] = ()
) -> pd.DataFrame:
    """A row an exercise: yours, right (empty until there is an answer), verdict.

    Args:
        yours: None where there is no answer yet.
        right: as many, none of them 0.
        within: how far an answer may be off, as a share of the right one.
        names: of the rows; none: numbers from 1.

    Raises:
        ValueError: another number of answers than of right ones.
    """
    if len(yours) != len(right):
        raise ValueError(f"{len(yours)} answers to {len(right)} exercises")
    table = pd.DataFrame({"yours": yours, "right": right}, dtype=float)
    table.index = pd.Index(names or range(1, len(table) + 1), name="exercise")
    near = (table["yours"] / table["right"] - 1).abs() < within
    table["verdict"] = near.map({True: "right", False: "not yet"})
    table.loc[table["yours"].isna(), ["right", "verdict"]] = [None, "no answer yet"]
    return table
