"""Kernels forked from a warm parent: a run starts in a fraction of a second instead of several.

`papermill` executes each notebook in a fresh kernel as ever; only the way the kernel process comes to life
differs. Importing torch, transformers and seaborn once per worker, not once per run, is what makes a grid
of small cells cheap. Where forking is not safe (macOS, Windows) ordinary kernels are used.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import default

CAN_FORK = sys.platform == "linux"
# Every numeric library reads its own variable, and most read it once, when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def kernel_environment(threads: int) -> dict[str, str]:
    """Environment variables that make a kernel use `threads` threads and repeat itself bit for bit."""
    return {
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic matrix products on CUDA
        "TOKENIZERS_PARALLELISM": "false",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


class WarmParent:
    """The process of `warm_start.py` and the pipe to it."""

    def __init__(self, threads: int) -> None:
        script = Path(__file__).with_name("warm_start.py")
        self._process = subprocess.Popen(
            [sys.executable, "-Xfrozen_modules=off", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, **kernel_environment(threads)},
        )
        self._answer()  # {"ready": pid}, once the imports are done

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the warm parent of the kernels ended with code {self._process.wait()}")
        return json.loads(line)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(request) + "\n")
        return self._answer()


@cache
def warm_parent(threads: int) -> WarmParent:
    """One per worker process and thread count: the libraries read their thread count when loaded."""
    return WarmParent(threads)


class ForkedProcess:
    """A forked kernel with the part of `subprocess.Popen` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, parent: WarmParent, pid: int) -> None:
        self._parent, self.pid, self.returncode = parent, pid, None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._parent.ask({"poll": self.pid})["status"]
        return self.returncode

    def wait(self) -> int | None:
        """Only called once `poll` has seen the end."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by asking the warm parent for a fork."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        parent = warm_parent(int(kwargs["env"]["OMP_NUM_THREADS"]))
        cwd = str(kwargs.get("cwd") or os.getcwd())
        request = {
            "connection_file": self.parent.connection_file,
            "cwd": cwd,
            "environment": kwargs["env"],
            "log": kwargs["env"]["RECSYS_KERNEL_LOG"],
        }
        self.process = ForkedProcess(parent, parent.ask(request)["pid"])
        self.pid = self.pgid = self.process.pid  # the kernel leads its own process group
        self.cwd = cwd
        return self.connection_info


class WarmKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels come from the warm parent.

    Local sockets instead of TCP ports: two kernels that start at the same moment can't take the same port.
    Their names are Linux' abstract ones (a leading @), which leave no file behind after a kill; messages
    are signed with the connection's key as ever.
    """

    transport = "ipc"

    @default("ip")
    def _ip_default(self) -> str:
        return f"@recsys-kernel-{uuid.uuid4().hex}"

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.provisioner = WarmProvisioner(
                kernel_id=kwargs.get("kernel_id", ""), kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kwargs)
