"""Driver, workers and Redis are killed with SIGKILL while events come in; the final state must be exact."""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from recsys.streaming.engine import redis_server, spark_session
from recsys.streaming.engine.producer import send
from recsys.streaming.events import parse_lines
from recsys.streaming.replay import Disorder, Injected, disordered, synthetic_rows
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.sharding import shards_of
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import save_catalogue
from recsys.streaming.user_state import StateSpec

EVENTS, USERS, ITEMS, SHARDS = 60_000, 2_000, 300, 4
LINES_A_SECOND = 150  # so that events still come when the last kill falls
VICTIMS = ("driver", "worker", "redis")
LONGEST_WAIT = 25.0  # seconds between kills: a JVM starts in 15, so some fall before its first batch
SECONDS_TO_CLEAR, SECONDS_TO_WORK = 30, 120
SPEC = StateSpec(width=8)
VECTORS = np.random.default_rng(0).normal(size=(ITEMS, 8))


def made_log() -> Injected:
    rows = synthetic_rows(EVENTS, USERS, ITEMS, rate=20.0)
    rows["user"][::50] = -1
    faults = Disorder(duplicates=0.05, out_of_order=0.05, late=0.01, malformed=0.01)
    return disordered(rows, faults, SPEC.delay, SHARDS)


def undisturbed(folder: Path, injected: Injected):
    """The same lines in one go."""
    store = open_store(folder, SPEC, SHARDS)
    events, letters = parse_lines(injected.lines, range(len(injected.lines)))
    shards = shards_of(events, SHARDS)
    for shard in range(SHARDS):
        own = [letter for letter in letters if letter.offset % SHARDS == shard]
        apply_batch(store, shard, 0, events[shards == shard], own, VECTORS)
    return store


def differences(store, want) -> list[str]:
    """What is not as in the undisturbed store. The producer's repeats are read beside the others."""
    found, tallies, expected = [], store.tallies(), want.tallies()
    if store.states(VECTORS).tobytes() != want.states(VECTORS).tobytes():
        found.append("states differ")
    if store.all_windows().tolist() != want.all_windows().tolist():
        found.append("windows differ")
    for name in ("accepted", "anonymous", "late"):
        if tallies[name] != expected[name]:
            found.append(f"{name}: {tallies[name]}, not {expected[name]}")
    if tallies["read"] != sum(tallies[n] for n in ("accepted", "duplicates", "late", "malformed")):
        found.append(f"counts do not add up: {tallies}")
    letters, wanted = (Counter(letter[1:] for letter in s.all_letters()) for s in (store, want))
    if letters.keys() != wanted.keys() or any(letters[key] < wanted[key] for key in wanted):
        found.append("dead letters differ")
    return found


class Drill:
    """One driver at a time, one Redis, one producer."""

    def __init__(self, folder: Path, server: redis_server.RedisServer):
        self.server = server
        self.words = [server.address, str(folder / "checkpoint"), str(folder / "items.npz")]
        save_catalogue(folder / "items.npz", VECTORS, np.ones(ITEMS))
        self.driver = self.start()
        self.repeated = self.sent = 0

    def start(self, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.drills.stream_driver", *self.words, *more]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def produce(self, lines: list[str], stop: threading.Event) -> None:
        """At a steady pace until told to stop, then the rest at once."""
        step = LINES_A_SECOND // 5
        for start in range(0, len(lines), step):
            self.repeated += send(self.server.address, "events", lines[start : start + step], patience=120)
            self.sent = min(len(lines), start + step)
            if not stop.is_set():
                time.sleep(0.2)

    def workers(self) -> list[psutil.Process]:
        """Python processes that a daemon of pyspark has forked."""
        try:
            below = psutil.Process(self.driver.pid).children(recursive=True)
            daemons = {p.pid for p in below if "pyspark.daemon" in " ".join(p.cmdline())}
            return [p for p in below if p.pid in daemons and p.ppid() in daemons]
        except psutil.Error:
            return []

    def workers_soon(self) -> list[psutil.Process]:
        """Workers, waited for where the JVM is only starting."""
        deadline = time.monotonic() + SECONDS_TO_WORK
        while not (found := self.workers()) and time.monotonic() < deadline:
            self.keep_alive()
            time.sleep(0.1)
        return found

    def kill(self, victim: str) -> str:
        """Returns whom it hit: where no worker comes up in time, the driver."""
        if victim == "redis":
            self.server.kill()
            time.sleep(random.uniform(0, 1))
            self.server.start()
        elif victim == "worker" and (workers := self.workers_soon()):
            random.choice(workers).kill()
        else:
            victim = "driver"
            self.driver.kill()
            self.driver.wait()
        return victim

    def keep_alive(self) -> None:
        """A driver that ended (its Redis was gone) is started again, as a supervisor would."""
        if self.driver.poll() is not None:
            self.driver = self.start()


def left_behind(before: set[int]) -> list[str]:
    """JVMs and workers that this drill started and that are still there."""
    deadline = time.monotonic() + SECONDS_TO_CLEAR
    while True:
        found = []
        for process in psutil.process_iter(["pid", "cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            if process.info["pid"] not in before and ("SparkSubmit" in words or "pyspark.daemon" in words):
                found.append(words[:80])
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    if not (redis_server.installed() and spark_session.installed()):
        print("skipped: redis-server or pyspark is not installed")
        return True, {"skipped": True}
    random.seed(0)
    kills, before = min(options.kills, 20), set(psutil.pids())
    injected, hits, stop = made_log(), Counter(), threading.Event()
    with tempfile.TemporaryDirectory() as place, redis_server.redis_server(Path(place) / "redis") as server:
        folder = Path(place)
        open_store(server.address, SPEC, SHARDS)
        drill = Drill(folder, server)
        producer = threading.Thread(target=drill.produce, args=(injected.lines, stop))
        producer.start()
        for number in range(kills):
            deadline = time.monotonic() + random.uniform(1, LONGEST_WAIT)
            while time.monotonic() < deadline:
                drill.keep_alive()
                time.sleep(0.2)
            hits[drill.kill(VICTIMS[number % 3])] += 1
            drill.keep_alive()
            print(f"kill {number + 1}: {dict(hits)}, {drill.sent} of {len(injected.lines)} sent", flush=True)
        stop.set()
        producer.join()
        drill.driver.kill()
        drill.driver.wait()
        ended = drill.start("to-end").wait()
        store, want = open_store(server.address), undisturbed(folder / "undisturbed", injected)
        problems = differences(store, want) + ([f"the last driver ended with {ended}"] if ended else [])
        tallies = store.tallies()
    problems += [f"left behind: {words}" for words in left_behind(before)]
    for problem in problems:
        print(problem)
    figures = {
        "kills": dict(hits),
        "calls_repeated": drill.repeated,
        "tallies": tallies,
        "problems": problems,
    }
    print(f"{sum(hits.values())} kills, exact: {not problems}; {tallies}")
    return not problems and sum(hits.values()) == kills, figures


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=20)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(not main(words.parse_args())[0])
