"""Driver, workers and Redis are killed with SIGKILL while events come in; the final state must be exact.

Lines are released by the number of kills, so that events still come at the last kill on a slow machine too.
Exact means: states, windows and accepted events of the lines that were made, and every count and dead letter
of one computation over the log as it stands in Redis, where a call that the producer repeated is found twice.
"""

import argparse
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from recsys.streaming.engine import redis_server, spark_session
from recsys.streaming.engine.producer import send
from recsys.streaming.errors import NoRedis
from recsys.streaming.events import parse_lines
from recsys.streaming.replay import Disorder, Injected, disordered, synthetic_rows
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.sharding import shards_of
from recsys.streaming.stores.opening import open_store
from recsys.streaming.stores.redis_store import connect
from recsys.streaming.top_lists import save_catalogue
from recsys.streaming.user_state import StateSpec

EVENTS_A_KILL, USERS, ITEMS, SHARDS = 3_000, 2_000, 300, 4
SPAN_SECONDS = 3_000  # of event time: five times the delay of the watermark
STREAM = "events"
LINES_A_SECOND = 150
VICTIMS = ("driver", "worker", "redis")
LONGEST_WAIT = 25.0  # seconds between kills: a JVM starts in 15, so some fall before its first batch
SECONDS_TO_CLEAR, SECONDS_TO_WORK, SECONDS_OF_PATIENCE = 60, 300, 180
TRIES_TO_END = 3  # a supervisor starts a driver again that met the one killed before it
MARK = "RECSYS_STREAM_DRILL"  # in the environment of what this drill starts, and of what that starts
SPEC = StateSpec(width=8)
VECTORS = np.random.default_rng(0).normal(size=(ITEMS, 8))


def made_log(kills: int) -> Injected:
    events = EVENTS_A_KILL * (kills + 1)
    rows = synthetic_rows(events, USERS, ITEMS, rate=events / SPAN_SECONDS)
    rows["user"][::50] = -1
    faults = Disorder(duplicates=0.05, out_of_order=0.05, late=0.01, malformed=0.01)
    return disordered(rows, faults, SPEC.delay, SHARDS)


def undisturbed(folder: Path, lines: Sequence[str]):
    """A store that read these lines in one go."""
    store = open_store(folder, SPEC, SHARDS)
    events, letters = parse_lines(lines, range(len(lines)))
    shards = shards_of(events, SHARDS)
    for shard in range(SHARDS):
        own = [letter for letter in letters if letter.offset % SHARDS == shard]
        apply_batch(store, shard, 0, events[shards == shard], own, VECTORS)
    return store


def sent_lines(address: str) -> list[str]:
    """The log as it stands in Redis."""
    return [fields[b"line"].decode() for _, fields in connect(address).xrange(STREAM)]


def letters_of(store) -> Counter:
    return Counter(tuple(letter)[1:] for letter in store.all_letters())


def differences(store, made, sent) -> list[str]:
    """What is not as in the stores that read the made lines, and the sent ones, undisturbed."""
    found, tallies = [], store.tallies()
    if store.states(VECTORS).tobytes() != made.states(VECTORS).tobytes():
        found.append("states differ")
    if store.all_windows().tolist() != made.all_windows().tolist():
        found.append("windows differ")
    for name in ("accepted", "anonymous"):
        if tallies[name] != made.tallies()[name]:
            found.append(f"{name}: {tallies[name]}, {made.tallies()[name]} were made")
    found += [
        f"{name}: {tallies[name]}, not {wanted}"
        for name, wanted in sent.tallies().items()
        if tallies[name] != wanted
    ]
    if tallies["read"] != sum(tallies[name] for name in ("accepted", "duplicates", "late", "malformed")):
        found.append(f"counts do not add up: {tallies}")
    if letters_of(store) != letters_of(sent) or letters_of(store).keys() != letters_of(made).keys():
        found.append("dead letters differ")
    return found


class Drill:
    """One driver at a time, one Redis, one producer."""

    def __init__(self, folder: Path, server: redis_server.RedisServer):
        self.server = server
        self.mark = secrets.token_hex(8)
        self.words = [server.address, str(folder / "checkpoint"), str(folder / "items.npz")]
        save_catalogue(folder / "items.npz", VECTORS, np.ones(ITEMS))
        self.driver = self.start()
        self.repeated = self.sent = 0
        self.released = 0.0  # share of the lines that may be sent
        self.failure: NoRedis | None = None

    def start(self, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.drills.stream_driver", *self.words, *more]
        environment = os.environ | {MARK: self.mark}
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )

    def produce(self, lines: list[str]) -> None:
        """At a steady pace as far as lines are released; the rest at once when all are."""
        while self.sent < len(lines):
            while self.released < 1 and self.sent >= self.released * len(lines):
                time.sleep(0.2)
            step = LINES_A_SECOND // 5 if self.released < 1 else len(lines)
            part = lines[self.sent : self.sent + step]
            try:
                self.repeated += send(self.server.address, STREAM, part, patience=SECONDS_OF_PATIENCE)
            except NoRedis as error:
                self.failure = error
                return
            self.sent += len(part)
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

    def end(self) -> int:
        """Kill the last driver, then read what is left; the exit status of the driver that did."""
        self.driver.kill()
        self.driver.wait()
        for _ in range(TRIES_TO_END):
            if not (ended := self.start("to-end").wait()):
                break
        return ended

    def left_behind(self) -> list[str]:
        """Processes of this drill (JVMs, workers) that are still there after some patience."""
        deadline = time.monotonic() + SECONDS_TO_CLEAR
        while (found := self._marked()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _marked(self) -> list[str]:
        found = []
        for process in psutil.process_iter(["pid", "cmdline"]):
            try:
                if process.environ().get(MARK) == self.mark:
                    found.append(" ".join(process.info["cmdline"] or [])[:80])
            except psutil.Error:  # another user's, or just gone
                continue
        return found


def main(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    if not (redis_server.installed() and spark_session.installed()):
        print("skipped: redis-server or pyspark is not installed")
        return True, {"skipped": True}
    random.seed(0)
    began = time.monotonic()
    kills = min(options.kills, 20)
    injected, hits = made_log(kills), Counter()
    with tempfile.TemporaryDirectory() as place, redis_server.redis_server(Path(place) / "redis") as server:
        folder = Path(place)
        open_store(server.address, SPEC, SHARDS)
        drill = Drill(folder, server)
        producer = threading.Thread(target=drill.produce, args=(injected.lines,))
        producer.start()
        for number in range(kills):
            drill.released = (number + 1) / (kills + 1)
            deadline = time.monotonic() + random.uniform(1, LONGEST_WAIT)
            while time.monotonic() < deadline:
                drill.keep_alive()
                time.sleep(0.2)
            hits[drill.kill(VICTIMS[number % 3])] += 1
            drill.keep_alive()
            told = f"{dict(hits)}, {drill.sent} of {len(injected.lines)} sent"
            print(f"{time.monotonic() - began:.0f} s, kill {number + 1}: {told}", flush=True)
        drill.released = 1.0
        producer.join()
        print(f"{time.monotonic() - began:.0f} s: all sent", flush=True)
        ended = drill.end()
        store, made = open_store(server.address), undisturbed(folder / "made", injected.lines)
        sent = undisturbed(folder / "sent", sent_lines(server.address))
        problems = differences(store, made, sent) + ([f"the last driver ended with {ended}"] if ended else [])
        tallies = store.tallies()
    problems += [f"the producer gave up: {drill.failure}"] if drill.failure else []
    problems += [f"left behind: {words}" for words in drill.left_behind()]
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
