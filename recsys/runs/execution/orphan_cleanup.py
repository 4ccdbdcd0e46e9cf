"""Ends what a killed driver leaves behind.

Ray's own agents outlive a `kill -9` of the process that called `ray.init` (seen with 2.60: the dashboard
and runtime-environment agents are re-parented and stay). Every process that a driver starts inherits one
environment variable; this small process waits until the pipe from the driver closes, which the kernel does
however the driver ends, and then kills whatever still carries the driver's mark.
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
    """Mark this process's future children and guard them while the block runs."""
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
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def main(mark: str) -> None:
    sys.stdin.read()  # returns when the driver has ended, or has closed the pipe
    deadline = time.monotonic() + SECONDS_TO_END
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1])
