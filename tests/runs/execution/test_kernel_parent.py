"""The kernels' parent process is closed at once, even while it imports and does not listen yet."""

import signal
import subprocess
import sys

from recsys.runs.execution import kernel_parent


def closed(program: str, seconds: float, tmp_path, monkeypatch) -> subprocess.Popen:
    """The process of a parent that runs this program, after it was closed."""
    path = tmp_path / "program.py"
    path.write_text(program)
    monkeypatch.setattr(kernel_parent, "PROGRAM", path)
    monkeypatch.setattr(kernel_parent, "SECONDS_TO_CLOSE", seconds)
    parent = kernel_parent.KernelParent("parent", 1)
    parent.close()
    return parent._process


def test_one_that_still_imports_is_not_waited_for(tmp_path, monkeypatch):
    ended = closed("import time\ntime.sleep(60)\n", 0.2, tmp_path, monkeypatch)
    assert ended.returncode == -signal.SIGKILL


def test_one_that_ends_by_itself_is_not_killed(tmp_path, monkeypatch):
    ended = closed("import sys\nsys.stdin.read()\n", 60, tmp_path, monkeypatch)
    assert ended.returncode == 0
    assert sys.executable in ended.args
