"""The optional sections of notebook 08; if left out, they have empty tables and no metrics."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.streaming.online_learners import LEARNERS
from recsys.streaming.overlay import Overlay, Ranker
from recsys.streaming.replay import Disorder, synthetic_rows
from recsys.streaming.stores.opening import open_store
from recsys.streaming.studies import drift, freshness, freshness_tables, load
from recsys.streaming.studies.moments import Moments, moments
from recsys.streaming.studies.shop import DEMO, Shop

FAULTS = Disorder(duplicates=0.05, out_of_order=0.05, late=0.01, malformed=0.01)
BREAK_AT = 0.65  # change point, as a share of the stream of impressions
WEEK = 7  # days
SPAN_SECONDS = 6 * 3600  # of the made-up log's event time


@dataclass(frozen=True)
class Section:
    """tables by name, and metrics for the record."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables.get(name, pd.DataFrame())


def engine(
    shop: Shop,
    folder: Path,
    events: int,
    users: int,
    segment_lines: int,
    segments: int,
    cores: int,
    seed: int = 0,
) -> Section:
    """Synthetic events with injected disorder through Spark. Tables: batches, accounts.

    Raises:
        NoJava: Java or pyspark is missing.
    """
    if not events:
        return Section()
    from recsys.streaming.engine.spark_session import spark_session

    # a time span much longer than the watermark's delay, otherwise all events would remain waiting
    rows = synthetic_rows(events, users, shop.dataset.n_items, seed, rate=events / SPAN_SECONDS)
    injected = load.make_log(rows, shop.vectors, folder, shop.spec, FAULTS, segment_lines)
    with spark_session(f"local[{cores}]") as spark:
        batches = load.engine_run(spark, folder, segments)
    store = open_store(folder / "store")
    accounts = load.accounts(store, injected)
    later = batches.iloc[1:] if len(batches) > 1 else batches  # the first starts the workers
    metrics = {
        f"engine_{name}": float(v) for name, v in load.equals_batch(store, injected, shop.vectors).items()
    }
    metrics |= {
        "engine_lines_per_second": load.MILLISECONDS * later["lines"].sum() / later["milliseconds"].sum(),
        "engine_batch_p50_ms": later["milliseconds"].median(),
        "engine_accounts_off": float((accounts["put_in"] != accounts["found"]).sum()),
        "store_bytes_per_user": load.store_bytes_per_user(folder / "store", store),
        "state_bytes": float(load.state_bytes(store.spec)),
    }
    return Section({"batches": batches, "accounts": accounts}, metrics)


def live(
    shop: Shop,
    overlay: Overlay,
    ranker: Ranker,
    events: int,
    per_second: float,
    requests_per_second: float,
    seed: int = 0,
) -> Section:
    """Latency of the overlay for the shop's newest events at a fixed rate. Table: waits."""
    if not events:
        return Section()
    rows = shop.rows[-events:].copy()
    rows["offset"] += len(shop.rows)  # a stretch that the overlay has not seen, whatever it was shown before
    rows["id"] += len(shop.rows)
    found = load.live_latency(overlay, ranker, rows, per_second, requests_per_second, seed)
    metrics = {f"live_{name}": float(value) for name, value in found.items()}
    return Section({"waits": found.to_frame("milliseconds, and lists made")}, metrics)


def ladder(shop: Shop, asked: Moments, arm: freshness.Arm, inside_session: bool) -> Section:
    """The arm's scorer and popularity at every freshness. Tables: gains, for_whom, cost."""
    arms = freshness.ladder(arm, inside_session)
    outcomes = freshness.curve(shop.dataset, asked, arms)
    cut, event = f"{arm.scorer}, cut", f"{arm.scorer}, event"
    tables = {
        "gains": freshness_tables.gains(outcomes, cut, arm.seed),
        "for_whom": freshness_tables.for_whom(asked, outcomes[event], outcomes[cut], arm.seed),
        "cost": freshness_tables.cost(asked, outcomes, arms, cut),
    }
    return Section(tables)


def new_items(shop: Shop, test_share: float, arm: freshness.Arm, picked: dict[str, Any]) -> Section:
    """Text against popularity on products that are new after the cut. Table: gains; empty without titles."""
    if arm.text is None:
        return Section()
    options = picked | {"targets": "new_items"}
    asked = moments(shop.dataset, test_share, shop.kinds, shop.kinds, **options)
    names = ("text", "popularity", "item_knn", "random")
    arms = {name: replace(arm, scorer=name, freshness="event", refit=False) for name in names}
    outcomes = freshness.curve(shop.dataset, asked, arms)
    return Section({"gains": freshness_tables.gains(outcomes, "popularity", arm.seed)})


def learners(shop: Shop, impressions: int, seed: int = 0) -> Section:
    """Online learners on the demo store's impressions with a change point.

    Tables: learners, weekly (attrs: break_at and drifts, ms); empty for shops without logged impressions.
    """
    if not impressions or shop.dataset.name != DEMO:
        return Section()
    stream = drift.impressions(shop.dataset, impressions)
    at = stream[int(BREAK_AT * len(stream))].time
    said = drift.compare_learners(drift.with_break(stream, at, seed), list(LEARNERS))
    table, weekly = drift.learner_table(said, seed=seed), drift.daily_losses(said, WEEK)
    weekly.attrs |= {"break_at": at, "drifts": said.attrs["drifts"]["online_drift"]}
    metrics = {f"log_loss_{name}": float(value) for name, value in table["log_loss"].items()}
    return Section({"learners": table, "weekly": weekly}, metrics)
