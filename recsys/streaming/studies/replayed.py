"""Replays a data set through the engine with faults, and compares it with one computation over its log.

The comparison is the acceptance test of the engine on any log: whole numbers of all states equal, floats to
`CLOSE`, every injected fault found, to the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.load import load_dataset
from recsys.data.logs.online_retail import read_lines
from recsys.streaming.engine.spark_session import spark_session
from recsys.streaming.errors import StreamError
from recsys.streaming.item_factors import item_factors
from recsys.streaming.replay import Disorder, event_rows, rows_of_invoices
from recsys.streaming.stores.opening import open_store
from recsys.streaming.studies import load
from recsys.streaming.user_state import StateSpec

FAULTS = Disorder(duplicates=0.05, out_of_order=0.05, late=0.01, malformed=0.01)
CLOSE = 1e-9
INVOICES = "online_retail"  # the family whose files may be replayed line by line


@dataclass(frozen=True)
class Replayed:
    """batches, accounts, equality: tables of the functions of `load`: engine_run, accounts, equals_batch."""

    batches: pd.DataFrame
    accounts: pd.DataFrame
    equality: pd.Series

    @property
    def exact(self) -> bool:
        """Whether every line is accounted for and the states are those of the batch computation."""
        balanced = (self.accounts["put_in"] == self.accounts["found"]).all()
        same = self.equality["whole_numbers_equal"] == 1
        return bool(balanced and same and self.equality["largest_difference"] <= CLOSE)


def rows_to_replay(name: str, kinds: Sequence[str] | None = None, raw: bool = False) -> np.ndarray:
    """[K] rows of `EVENT` of a data set, sorted by time.

    Args:
        kinds: only events of these kinds; None: all.
        raw: every invoice line of a data set of family "online_retail", with returns and nameless customers.

    Raises:
        StreamError: the data set has no times, no event of these kinds, or raw for another family.
    """
    if raw:
        source = sources.get(name)
        if source.family != INVOICES:
            raise StreamError(f"{name} has no invoice lines: only data sets of family {INVOICES} can be raw")
        path = sources.local_file(source.name, source.role("invoice_lines").name)
        rows = rows_of_invoices(read_lines(path))
    else:
        dataset = load_dataset(name)
        if not dataset.has_times:
            raise StreamError(f"{name} has no event times: it cannot be replayed")
        rows = event_rows(dataset, kinds)
    if kinds is not None and raw:
        raise StreamError("give either kinds or raw: raw lines are purchases and returns")
    if not len(rows):
        raise StreamError(f"{name} has no event of the kinds {', '.join(kinds or ['any'])}")
    return rows


def replay_rows(
    rows: np.ndarray,
    folder: Path,
    cores: int = 2,
    segment_lines: int = 10_000,
    segments: int = 4,
    disorder: Disorder = FAULTS,
    spec: StateSpec | None = None,
) -> Replayed:
    """Replay rows through Spark as fast as it takes them, and compare.

    Args:
        rows: as from `rows_to_replay`.
        folder: empty; for log, store and checkpoint.
        segment_lines: of a file of the log. segments: files in a batch.

    Raises:
        NoJava: Java or pyspark is missing.
    """
    spec = spec or StateSpec()
    known = rows[(rows["item"] >= 0) & (rows["user"] >= 0)]
    vectors = item_factors(known, int(rows["item"].max(initial=0)) + 1, spec.width)
    injected = load.make_log(rows[rows["item"] >= 0], vectors, folder, spec, disorder, segment_lines)
    with spark_session(f"local[{cores}]") as spark:
        batches = load.engine_run(spark, folder, segments)
    store = open_store(folder / "store")
    return Replayed(batches, load.accounts(store, injected), load.equals_batch(store, injected, vectors))
