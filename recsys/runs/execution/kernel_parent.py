"""Starts the parent process of the kernels, and defines the environment that kernels run in."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

CAN_FORK = sys.platform == "linux"
THREADS = "OMP_NUM_THREADS"
SOCKET = (
    "RECSYS_KERNEL_PARENT"  # environment variable: name of the driver's sockets, without the thread count
)
# Every numeric library reads its own variable, most of them only once, when they are loaded.
THREAD_VARIABLES = (
    THREADS,
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)
SECONDS_TO_START = 60
SECONDS_TO_CLOSE = 5  # then it is killed; its kernels end with it
PROGRAM = Path(__file__).with_name("kernel_parent_process.py")


def kernel_environment(threads: int) -> dict[str, str]:
    """Environment variables that make a kernel use `threads` threads and compute deterministically."""
    return {
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic matrix products on CUDA
        "TOKENIZERS_PARALLELISM": "false",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


class KernelParent:
    """A process of `kernel_parent_process.py` for one thread count, which libraries read when loaded."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = f"{name}-{threads}"
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **kernel_environment(threads)},
        )

    def connect(self) -> socket.socket:
        """Connect; waits until the parent listens."""
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect("\0" + self.name)
                return connection
            except ConnectionRefusedError:
                connection.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the parent of the kernels did not start") from None
                time.sleep(0.02)

    def close(self) -> None:
        """End the parent process and its kernels."""
        self._process.stdin.close()
        try:
            self._process.wait(SECONDS_TO_CLOSE)
        except subprocess.TimeoutExpired:  # it is still importing (Ctrl-C at the start) and reads nothing yet
            self._process.kill()
            self._process.wait()
