"""Runs a plan on Ray: in parallel, each run with its own resources; a failed run does not stop the others."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from recsys.data.files.locations import from_environment
from recsys.runs import paths
from recsys.runs.execution.in_flight import IN_FLIGHT
from recsys.runs.execution.kernel_parent import CAN_FORK, SOCKET, KernelParent
from recsys.runs.execution.memory_shortage import LONGEST, MemoryShortage
from recsys.runs.execution.memory_shortage import TRIES as MEMORY_TRIES
from recsys.runs.execution.orphan_cleanup import orphans_ended
from recsys.runs.execution.worker import Outcome, Request, execute
from recsys.runs.grid.fingerprint import SCORES_FOLDER
from recsys.runs.grid.plan import PlannedRun

ENDED = f"memory ran short {MEMORY_TRIES} times, and Ray ended it: use fewer --cores, or a larger machine"
NO_MEMORY = (
    f"memory ran short, and was not free again in {LONGEST / 60:.0f} minutes: close other programs, then "
    "run again (what is up to date is kept)"
)
TRIES = 6  # attempts to start Ray on a busy machine
LONGEST_FOLDER = 107 - len("/ray/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")
FORWARDED = ("RECSYS_DATA", "RECSYS_CACHE", "RECSYS_SOURCES", SCORES_FOLDER)


class RunnerError(RuntimeError):
    """The grid cannot be run as asked; the message says why and how to mend it."""


@contextlib.contextmanager
def only_driver(runs: Path) -> Iterator[None]:
    """Context manager: locks the runs folder against a second driver; removes a killed one's leftovers."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        lock = (runs / ".lock").open("a+")
    except OSError as error:
        raise RunnerError(
            f"cannot write to {runs}: {error.strerror}; choose another folder with --runs"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RunnerError(
                f"another `recsys run` (process {lock.read().strip() or 'unknown'}) is using {runs}; "
                "wait for it, or give this one a folder of its own with --runs"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        for leftover in runs.glob(f"*/{IN_FLIGHT}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def run(
    planned: list[PlannedRun],
    *,
    address: str | None = None,
    cores: int | None = None,
    committed_only: bool = False,
    on_start: Callable[[float], None] = lambda slots: None,
    on_tick: Callable[[], None] = lambda: None,
    on_finish: Callable[[PlannedRun, Outcome], None] = lambda run, outcome: None,
) -> list[Outcome]:
    """Execute every planned run; a failed one does not stop the others.

    Args:
        address: of a Ray cluster that can access this project's folder; None starts Ray on this machine.
        cores: how many a local Ray may use (default: all).
        committed_only: fail a run whose notebook or modules are not those of the commit.
        on_start, on_tick, on_finish: callbacks for progress.

    Raises:
        RunnerError: a run needs more resources than there are, or the cluster can't be reached.
        KeyboardInterrupt: raised again after unfinished runs were stopped; finished ones are kept.
    """
    # kernels run in the notebooks' folder: a relative path would mean another place there
    environment = {name: str(path) for name in FORWARDED if (path := from_environment(name))}
    threads = {run.needs.threads for run in planned}
    with orphans_ended(), _kernel_parents(threads) as parents, started_ray(address, cores) as ray:
        environment |= {SOCKET: parents}
        total = ray.cluster_resources()
        task = ray.remote(execute)
        on_start(total.get("CPU", 1) / max(1, max(run.needs.threads for run in planned)))
        waiting: dict[Any, PlannedRun] = {}
        outcomes, short = [], MemoryShortage(cluster=address is not None)

        def start(one: PlannedRun) -> None:
            options = {"num_cpus": one.needs.threads, "num_gpus": one.needs.gpus, "max_retries": 0}
            options["memory"] = int(one.needs.memory_gb * 2**30)
            waiting[task.options(**options).remote(_request(one, environment, committed_only))] = one

        def end(one: PlannedRun, outcome: Outcome | str) -> None:
            failed = isinstance(outcome, str)
            outcomes.append(Outcome(one.name, False, 0.0, str(one.folder), outcome) if failed else outcome)
            on_finish(one, outcomes[-1])

        for one in planned:
            if problem := _unplaceable(one, total):
                end(one, problem)
            else:
                start(one)
        while waiting or short:
            for one in short.due():
                start(one)
            if not waiting:  # all that is left waits for memory
                time.sleep(1.0)
            done, _ = ray.wait(list(waiting), timeout=1.0) if waiting else ([], [])
            for reference in done:
                one = waiting.pop(reference)
                outcome = _outcome(ray, reference, one)
                if outcome or not short.takes(one):
                    end(one, outcome or ENDED)
            for one in short.given_up(in_progress=bool(waiting)):
                end(one, NO_MEMORY)
            on_tick()
    return outcomes


@contextlib.contextmanager
def _kernel_parents(threads: set[int]) -> Iterator[str]:
    """Context manager: the kernels' parent processes on this machine, which import while Ray starts."""
    name = f"recsys-{os.getpid()}-{uuid.uuid4().hex}"
    parents = [KernelParent(name, count) for count in threads] if CAN_FORK else []
    try:
        yield name
    finally:
        for parent in parents:
            parent.close()


@contextlib.contextmanager
def started_ray(address: str | None, cores: int | None) -> Iterator[Any]:
    """Context manager: starts Ray here, or connects to the cluster at `address`; yields the module ray."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not address:
        _check_temporary_folder()
        # Ray of one machine: its processes then listen on the loopback interface alone. Ray reads it when it
        # is imported; its name is of the systems where this is Ray's default.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if address and (Path.home() / ".ray" / "auth_token").is_file():
        # `ray start` requires the token that it wrote there; ray.init sends it only with this setting
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    # local workers run this checkout's package
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(paths.PROJECT), *filter(None, own)]))
    import logging

    import ray

    if address and ":" in address and "://" not in address:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()  # Ray itself would try for minutes
        except (OSError, ValueError) as error:
            raise RunnerError(
                f"no Ray cluster answers at {address} ({error}); is `ray start --head` up?"
            ) from None
    # num_cpus None: Ray counts the cores that this process may use, including containers' limits
    local = {} if address else {"num_cpus": cores, "include_dashboard": False}
    for left in reversed(range(TRIES)):
        there = {child.pid for child in psutil.Process().children()}
        if left == TRIES - 2:
            print("Ray did not start within 30 s: the machine is busy. Trying again ...", file=sys.stderr)
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
            break
        except Exception as error:  # Ray raises a plain Exception when one of its processes does not start
            if not address and left and "timed out during startup" in str(error):
                # it waits 30 s for its own processes, which a busy machine does not give them
                _end_children_but(there)
                continue
            where = f"the Ray cluster at {address}" if address else "Ray on this machine"
            busy = "; try again when fewer programs run" if "timed out during startup" in str(error) else ""
            raise RunnerError(f"cannot start or reach {where}: {_first_line(error)}{busy}") from error
    try:
        with _sigterm_like_ctrl_c():
            yield ray
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Slurm and `docker stop` send SIGTERM; Ray answers it by aborting the process, with a stack trace."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only there can a handler be set
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _end_children_but(kept: set[int]) -> None:
    """What a failed start of Ray leaves running until this process ends: each try would add to the load that
    made it fail."""
    children = [child for child in psutil.Process().children() if child.pid not in kept]
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.kill()
    psutil.wait_procs(children, timeout=5)


def _check_temporary_folder() -> None:
    """Check the length of the temporary folder's path: Ray's sockets are in it, with 107 bytes at most."""
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
        raise RunnerError(
            f"the temporary folder {folder} has too long a name for Ray's sockets (at most {LONGEST_FOLDER} "
            f"bytes): name a shorter one, such as {name}=/tmp recsys run ..."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunnerError(f"cannot write to the temporary folder {folder}: name another one with TMPDIR")


def _unplaceable(run: PlannedRun, total: dict[str, float]) -> str | None:
    """Why a run can never be placed, for which Ray would wait forever; None if it can."""
    asked = {"CPU": run.needs.threads, "GPU": run.needs.gpus, "memory": run.needs.memory_gb * 2**30}
    for name, amount in asked.items():
        have = total.get(name, 0)
        if amount > have:
            if name != "memory":
                return f"needs {amount:.3g} {name}, there is {have:.3g} in all"
            # Ray gives out what is free at its start, less a reserve
            return (
                f"needs {amount / 2**30:.3g} GiB of memory, Ray found {have / 2**30:.3g} to give out when it "
                "started: close other programs"
            )
    return None


def _request(run: PlannedRun, environment: dict[str, str], committed_only: bool) -> Request:
    return Request(
        project=str(paths.PROJECT),
        folder=str(run.folder),
        experiment=run.experiment.name,
        run=run.name,
        profile=run.profile,
        notebook=run.experiment.notebook,
        parameters=run.parameters,
        threads=run.needs.threads,
        metrics=run.experiment.metrics,
        committed_only=committed_only,
        environment=environment,
    )


def _outcome(ray: Any, reference: Any, run: PlannedRun) -> Outcome | None:
    """How a run ended; None where Ray ended it for want of memory."""
    try:
        return ray.get(reference)
    except ray.exceptions.OutOfMemoryError:
        return None
    except ray.exceptions.RayTaskError as error:
        return Outcome(run.name, False, 0.0, str(run.folder), f"the run could not be set up: {error.cause!r}")
    except ray.exceptions.RayError as error:
        return Outcome(
            run.name, False, 0.0, str(run.folder), f"the worker process died: {_first_line(error)}"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
