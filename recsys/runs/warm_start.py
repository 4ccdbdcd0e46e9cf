"""A parent process that has the heavy imports done and forks a kernel for each run.

Started by path (not as a module), so that a kernel's `sys.modules` holds no `recsys` module that the
notebook did not import itself. It computes nothing, so no thread pool is started and forking is safe (the
one other thread is that of pyarrow's allocator, which handles forks itself).
Protocol, one JSON object a line. In: {"connection_file", "cwd", "environment", "log"}; out: {"pid"}.
In: {"poll": pid}; out: {"status": exit status or null}. End of input ends it, and its kernels with it.
"""

import ctypes
import importlib
import json
import os
import signal
import sys

PRELOAD = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "numpy",
    "pandas",
    "scipy.stats",
    "seaborn",
    "sklearn.metrics",
    "torch",
    "transformers",
)
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def become_kernel(request: dict) -> None:
    """In the forked child: turn into an ordinary ipykernel. Does not return."""
    die_with_parent()
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((null, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    os.chdir(request["cwd"])
    os.environ.update(request["environment"])
    # The kernel's working directory comes first on the path, as for a kernel started afresh.
    sys.path[:] = ["", *os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    sys.argv = ["ipykernel_launcher", "-f", request["connection_file"]]
    from ipykernel import kernelapp

    try:
        kernelapp.launch_new_instance(argv=sys.argv[1:])
    except SystemExit as exit_:
        os._exit(exit_.code if isinstance(exit_.code, int) else 0)
    os._exit(0)


def poll(pid: int) -> int | None:
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return os.waitstatus_to_exitcode(status) if done else None


def main() -> None:
    die_with_parent()
    sys.path.pop(0)  # this file's folder, put there because it is run by path
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what an import prints must not look like an answer
    for name in PRELOAD:
        importlib.import_module(name)
    print(json.dumps({"ready": os.getpid()}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            print(json.dumps({"status": poll(request["poll"])}), file=answers)
            continue
        pid = os.fork()
        if pid == 0:
            answers.close()
            become_kernel(request)
        print(json.dumps({"pid": pid}), file=answers)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    main()
