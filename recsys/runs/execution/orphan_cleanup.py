"""Ends processes that a killed driver leaves behind.

Ray's agents outlive a `kill -9` of the process that called `ray.init` (seen with 2.60: the dashboard and
runtime-environment agents are re-parented and stay). Every process that a driver starts inherits an
environment variable, the mark. This guard process waits until the pipe from the driver closes, which happens
however the driver ends, and then kills every process that still has the mark.
"""

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import psutil

MARK = "RECSYS_DRIVER"
SECONDS_TO_END = 20.0


@contextlib.contextmanager
def orphans_ended() -> Iterator[None]:
    """Context manager: marks this process's future children, so that a guard process can end them."""
    mark = f"{os.getpid()}-{uuid.uuid4().hex}"
    guard = subprocess.Popen(
        [sys.executable, __file__, mark], stdin=subprocess.PIPE, start_new_session=True
    )  # a session of its own: Ctrl-C in the terminal must not end the guard first
    os.environ[MARK] = mark
    try:
        yield
    finally:
        del os.environ[MARK]
        guard.stdin.close()
        guard.wait()


def marked_processes(mark: str) -> list[psutil.Process]:
    """All processes whose environment carries the mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def main(mark: str) -> None:
    """The guard process: wait for the driver's end, then kill the marked processes."""
    sys.stdin.read()  # returns when the driver has ended or closed the pipe
    deadline = time.monotonic() + SECONDS_TO_END
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1])
