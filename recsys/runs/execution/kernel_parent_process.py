"""The parent process of kernels: imports the heavy libraries once and forks a kernel for each run.

Started by path (not as a module), so that a kernel's `sys.modules` holds no `recsys` module that the
notebook did not import itself. It computes nothing before it forks; the threads that exist by then belong to
pyarrow's allocator and to OpenBLAS, and both handle forks themselves.

It listens on an abstract Unix socket, to its own user only. One connection is one kernel: the client sends
{"connection_file", "cwd", "environment", "log"} and gets {"pid"}; then, as often as it likes, a line
"poll" and gets {"status": exit status or null}. When the connection closes the kernel is killed. When
standard input closes, the parent ends, and its kernels with it.
"""

import contextlib
import ctypes
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import traceback

# Not matplotlib_inline: it hooks into IPython when imported, which is not running here yet.
PRELOAD = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib.pyplot",
    "numpy",
    "pandas",
    "peft",
    "scipy.stats",
    "seaborn",
    "sklearn.linear_model",
    "sklearn.metrics",
    "torch",
    "torch._dynamo",  # torch imports it with the first optimiser: 1.4 core seconds in every run
    "transformers",
    "transformers.models.bert.modeling_bert",
)
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def become_kernel(request: dict) -> None:
    """In the forked child: become an ordinary ipykernel. Does not return."""
    die_with_parent()
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((null, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    # The kernel's working directory comes first on the path, as for a kernel started afresh.
    sys.path[:] = ["", *os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    sys.argv = ["ipykernel_launcher", "-f", request["connection_file"]]
    import numpy
    from ipykernel import kernelapp

    class UnlimitedKernelApp(kernelapp.IPKernelApp):
        def init_iopub(self, context) -> None:
            context.sndhwm = 0  # never drop output for a slow client, which bounds the total itself
            super().init_iopub(context)

    numpy.random.seed()  # otherwise all forks would share their parent's state and only look reproducible
    try:
        UnlimitedKernelApp.launch_instance(argv=sys.argv[1:])
    except SystemExit as exit_:
        os._exit(exit_.code if isinstance(exit_.code, int) else 0)
    os._exit(0)


class Kernels:
    """The running kernels, by connection."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._pids: dict[socket.socket, int | None] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin.buffer, selectors.EVENT_READ, lambda _: sys.exit(0))

    def serve(self) -> None:
        """Serve connections until standard input closes."""
        while True:
            for key, _ in self._selector.select():
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.getuid():
            connection.close()  # an abstract socket has no file permissions: another user could ask
            return
        self._pids[connection] = None
        self._selector.register(connection, selectors.EVENT_READ, self._answer)

    def _answer(self, connection: socket.socket) -> None:
        # OSError: no memory for a fork; ValueError: the worker was killed in mid-sentence. One kernel is lost
        # then, not all of them.
        with contextlib.suppress(OSError, ValueError):
            line = connection.makefile("r").readline()
            if line == "poll\n":
                answer = {"status": self._poll(connection)}
            elif line:
                answer = {"pid": self._fork(connection, json.loads(line))}
            else:
                return self._end(connection)
            connection.sendall(json.dumps(answer).encode() + b"\n")
            return None
        return self._end(connection)

    def _fork(self, connection: socket.socket, request: dict) -> int:
        pid = os.fork()
        if pid == 0:
            for other in (self._listener, *self._pids):
                other.close()
            try:
                become_kernel(request)
            except BaseException:
                traceback.print_exc()
            os._exit(1)  # never back into the parent's loop
        self._pids[connection] = pid
        return pid

    def _poll(self, connection: socket.socket) -> int | None:
        pid = self._pids[connection]
        try:
            done, status = os.waitpid(pid, os.WNOHANG) if pid else (0, 0)
        except ChildProcessError:
            return 0  # its end was noticed before
        return os.waitstatus_to_exitcode(status) if done else None

    def _end(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        if self._poll(connection) is None and (pid := self._pids[connection]):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        del self._pids[connection]
        connection.close()


def main(name: str) -> None:
    """Import the heavy libraries and serve on the abstract socket of that name."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    sys.path.pop(0)  # this file's folder, put there because it is run by path
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name)  # bound first: early clients wait until the imports are done
        listener.listen(128)
        for module in PRELOAD:
            importlib.import_module(module)
        Kernels(listener).serve()


if __name__ == "__main__":
    main(sys.argv[1])
