"""Tables to replay searchers on: the committed one, one of your own sweep, or a synthetic one.

The committed table is `experiments/reference/sweeps/searcher_table.parquet`: 576 configurations of the
next-item model "sequence" on the demo store, one row per epoch and a last one, the trial's result: the
weights of its best epoch. Columns: learning_rate, batch_size, weight_decay, drop, width; epoch (from 1; 6 is
the result); core_seconds (of the trial so far, one thread); ndcg@10 (on validation, all users).
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd

from recsys.runs import paths
from recsys.sweeps.replay import AnswerTable, TableError, answer_table
from recsys.sweeps.results import FOLDER, read_arms, sweep_folder, sweep_reports

PLANTED = "planted"


def load_table(name: str) -> AnswerTable:
    """A table by name.

    Args:
        name: "planted" (synthetic, with made-up costs), or a sweep with a log or a committed table.

    Raises:
        TableError: there is neither, or the table lacks a combination.
    """
    if name == PLANTED:
        return planted_table()
    committed = paths.REFERENCE / FOLDER / f"{name}.parquet"
    folder = sweep_folder(name)
    arms = read_arms(folder)
    if arms:
        searched = next(iter(arms.values()))[0]
        objective = searched["objectives"][0]
        return answer_table(
            sweep_reports(name), list(searched["space"]), objective["metric"], objective["direction"]
        )
    if committed.is_file():
        frame = pd.read_parquet(committed)
        names = [column for column in frame if column not in ("epoch", "core_seconds", "ndcg@10")]
        return answer_table(frame, names, "ndcg@10")
    raise TableError(f"no table {name!r}: make it with `recsys sweep {name}`, or choose {PLANTED!r}")


def write_table(name: str, out: Path | None = None) -> Path:
    """Write the table of a finished grid sweep as one Parquet file for committing; returns its path.

    Raises:
        TableError: the sweep lacks a combination.
    """
    table = load_table(name)
    frame = sweep_reports(name)[[*table.space, "epoch", "core_seconds", table.metric]]
    out = out or paths.REFERENCE / FOLDER / f"{name}.parquet"
    out.parent.mkdir(parents=True, exist_ok=True)
    frame.sort_values([*table.space, "epoch"]).to_parquet(out, index=False, compression="zstd")
    return out


def planted_table() -> AnswerTable:
    """A synthetic table of 6 × 4 × 3 settings with 5 epochs of a second each; small learning rates learn
    slowly."""
    rows = []
    for rate, batch, drop in itertools.product(range(6), range(4), range(3)):
        top = 0.06 * (1 - 0.06 * (rate - 3) ** 2) * (1 - 0.04 * (batch - 1) ** 2) * (1 - 0.03 * abs(drop - 1))
        for epoch in range(1, 6):
            value = max(top, 0.001) * (1 - 0.5 ** (epoch * (1 + rate) / 3))
            at = {"rate": rate, "batch": batch, "drop": drop, "epoch": epoch}
            rows.append(at | {"core_seconds": float(epoch), "ndcg@10": value})
    return answer_table(pd.DataFrame(rows), ["rate", "batch", "drop"], "ndcg@10")
