"""The engine: Spark Structured Streaming from a log to the feature store.

Spark manages the source's offsets, batches, checkpoints, distribution over cores or machines, and retries. A
batch is shuffled by shard, and each shard's part is passed as Arrow columns to `shard_batch.apply_batch`, a
transaction of the store. Spark may call it twice for a batch (after a worker or the driver died): the second
call changes nothing.

    lines → checked rows → by shard → late? repeated? → waiting → due, folded in event-time order → store
                └→ reason → dead letters ←┘
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from recsys.streaming.engine.sources import LogFolder, RedisStream, as_options, from_arrow
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import TopLists, load_catalogue

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

SUMMARY = pa.schema([(name, pa.int64()) for name in ("shard", "lines", "users", "lists")])
SUMMARY_TYPE = ", ".join(f"{name} long" for name in SUMMARY.names)
POLL_SECONDS = 0.05
MOST_BATCHES = 100_000  # whose times Spark remembers


@dataclass
class Flow:
    """Configuration of a dataflow.

    store: address of an existing feature store (`open_store` creates one). checkpoint: folder for Spark.
    log: folder of segments, or "redis://…". stream: its key in Redis. per_batch: most segments (folder) or
    entries (Redis) in a batch. catalogue: file of `top_lists.save_catalogue`, or None: no vectors. top_k:
    length of the lists; 0: none. trim: delete entries from Redis after they have been read.
    """

    store: str
    checkpoint: str
    log: str
    stream: str = "events"
    per_batch: int = 1
    catalogue: str | None = None
    top_k: int = 0
    trim: bool = False
    batches: list[dict[str, int]] = field(default_factory=list, repr=False)

    def source(self) -> tuple[str, dict[str, str]]:
        """Format and options of the Spark source."""
        shards = open_store(self.store).shards
        if self.log.startswith("redis"):
            options = {
                "address": self.log,
                "stream": self.stream,
                "entries": self.per_batch,
                "trim": self.trim,
            }
            return RedisStream.name(), as_options({**options, "shards": shards})
        return LogFolder.name(), as_options(
            {"folder": self.log, "segments": self.per_batch, "shards": shards}
        )


def start(spark: SparkSession, flow: Flow, seconds: float | None = None) -> StreamingQuery:
    """Start the query; it continues from its checkpoint if there is one.

    Args:
        seconds: between batches (0: no pause). None: process what is available now, then end.
    """
    for source in (LogFolder, RedisStream):
        spark.dataSource.register(source)
    name, options = flow.source()
    # Spark's default of 200 shuffle tasks takes seconds; with four per shard, shards rarely share one
    spark.conf.set("spark.sql.shuffle.partitions", str(4 * int(options["shards"])))
    rows = spark.readStream.format(name).options(**options).load()
    work = fold_shard(flow.store, flow.catalogue, flow.top_k)

    def each_batch(frame: DataFrame, batch: int) -> None:
        started = time.monotonic()
        told = frame.groupBy("shard").applyInArrow(_with_batch(work, batch), SUMMARY_TYPE).toArrow()
        sums = {key: int(np.sum(told.column(key).to_numpy())) for key in SUMMARY.names[1:]}
        milliseconds = round(1000 * (time.monotonic() - started))
        flow.batches.append({"batch": batch, **sums, "milliseconds": milliseconds})

    writer = rows.writeStream.foreachBatch(each_batch).option("checkpointLocation", flow.checkpoint)
    when = (
        {"availableNow": True}
        if seconds is None
        else {"processingTime": f"{int(1000 * seconds)} milliseconds"}
    )
    return writer.trigger(**when).start()


def run_to_end(spark: SparkSession, flow: Flow) -> list[dict[str, int]]:
    """Process everything that is available now, and end.

    Returns:
        One entry per batch: batch, lines, users, lists, milliseconds (all of the batch: planning, reading,
        states, and Spark's own logs and commits).
    """
    spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", str(MOST_BATCHES))
    query = start(spark, flow)
    query.awaitTermination()
    whole = {told["batchId"]: told["durationMs"]["triggerExecution"] for told in query.recentProgress}
    for done in flow.batches:
        done["milliseconds"] = max(done["milliseconds"], whole.get(done["batch"], 0))
    return flow.batches


def wait_for(query: StreamingQuery, flow: Flow, lines: int, seconds: float) -> bool:
    """Wait until the store has read `lines` lines; False if that takes longer than `seconds`."""
    store, deadline = open_store(flow.store), time.monotonic() + seconds
    while store.tallies()["read"] < lines:
        if time.monotonic() > deadline or not query.isActive:
            return False
        time.sleep(POLL_SECONDS)
    return True


def fold_shard(store: str, catalogue: str | None, top_k: int) -> Callable[..., pa.Table]:
    """The function that a Spark worker applies to the rows of one shard."""

    def work(key: tuple[Any, ...], table: pa.Table, batch: int) -> pa.Table:
        shard = key[0].as_py()
        opened = open_store(store)
        try:
            tops = load_catalogue(Path(catalogue), top_k) if catalogue else None
            vectors = tops.vectors if tops else np.zeros((0, opened.spec.width))
            lists: TopLists | None = tops if top_k else None
            events, letters = from_arrow(table)
            done = apply_batch(opened, shard, batch, events, letters, vectors, lists)
        finally:
            opened.close()
        row = {"shard": [shard], "lines": [done.lines], "users": [done.users], "lists": [done.lists]}
        return pa.table(row, schema=SUMMARY)

    return work


def _with_batch(work: Callable[..., pa.Table], batch: int) -> Callable[..., pa.Table]:
    def numbered(key: tuple[Any, ...], table: pa.Table) -> pa.Table:
        return work(key, table, batch)

    return numbered
