"""Kernels forked from a parent process: a run starts in a fraction of a second instead of several.

`papermill` executes each notebook in a new kernel as usual; only the kernel process is started differently.
Importing torch, transformers and seaborn once instead of once per run makes grids of small cells cheap. Where
forking is not safe (macOS, Windows) ordinary kernels are used.
"""

import json
import os
import signal
import socket
import uuid
from functools import cache
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import default

from recsys.runs.execution.kernel_parent import SOCKET, THREADS, KernelParent


@cache
def own_parent(threads: int) -> KernelParent:
    """A parent process of this worker's own, for cluster machines on which the driver does not run."""
    return KernelParent(f"recsys-{os.getpid()}-{uuid.uuid4().hex}", threads)


def connect(environment: dict[str, str]) -> socket.socket:
    """A connection to the driver's parent process if it runs on this machine, else to our own."""
    threads = int(environment[THREADS])
    shared = environment.get(SOCKET)
    if shared:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(f"\0{shared}-{threads}")
            return connection
        except OSError:
            connection.close()
    return own_parent(threads).connect()


class ForkedProcess:
    """A forked kernel, with the part of the interface of `subprocess.Popen` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, request: dict[str, Any]) -> None:
        self._connection = connect(request["environment"])
        self._answers = self._connection.makefile("r")
        self.returncode: int | None = None
        self.pid = self._ask(json.dumps(request))["pid"]

    def _ask(self, line: str) -> dict[str, Any]:
        self._connection.sendall(line.encode() + b"\n")
        answer = self._answers.readline()
        if not answer:
            raise RuntimeError("the parent of the kernels has ended")
        return json.loads(answer)

    def poll(self) -> int | None:
        """Exit status, or None while the kernel runs."""
        if self.returncode is None:
            try:
                self.returncode = self._ask("poll")["status"]
            except (OSError, RuntimeError):
                self.returncode = -signal.SIGKILL  # a kernel dies with its parent
        return self.returncode

    def wait(self) -> int | None:
        """Exit status; called only after `poll` has returned one."""
        self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel by asking the parent process for a fork."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        self.cwd = str(kwargs.get("cwd") or os.getcwd())
        environment = kwargs["env"]
        self.process = ForkedProcess(
            {
                "connection_file": self.parent.connection_file,
                "cwd": self.cwd,
                "environment": dict(environment),
                "log": environment["RECSYS_KERNEL_LOG"],
            }
        )
        self.pid = self.pgid = self.process.pid  # the kernel leads its own process group
        return self.connection_info


class ForkedKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels come from the parent process.

    Unix sockets instead of TCP ports: two kernels that start at the same moment cannot take the same port.
    They are abstract sockets of Linux (a leading @), which leave no file behind after a kill; messages are
    signed with the connection's key as usual.
    """

    transport = "ipc"

    @default("ip")
    def _ip_default(self) -> str:
        return f"@recsys-kernel-{uuid.uuid4().hex}"

    def client(self, **options: Any) -> Any:
        client = super().client(**options)
        client.context.rcvhwm = 0  # by default ZeroMQ drops messages after a thousand unread ones
        return client

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.provisioner = ForkProvisioner(
                kernel_id=kwargs.get("kernel_id", ""), kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kwargs)
