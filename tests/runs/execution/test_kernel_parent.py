"""The kernels' parent process is closed at once, even while it imports and does not listen yet."""

import signal
import sys

from recsys.runs.execution import kernel_parent


def test_one_that_still_imports_is_not_waited_for(tmp_path, monkeypatch):
    importing = tmp_path / "importing.py"
    importing.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(kernel_parent, "PROGRAM", importing)
    monkeypatch.setattr(kernel_parent, "SECONDS_TO_CLOSE", 0.2)
    parent = kernel_parent.KernelParent("slow", 1)
    parent.close()
    assert parent._process.returncode == -signal.SIGKILL


def test_one_that_ends_by_itself_is_not_killed(tmp_path, monkeypatch):
    listening = tmp_path / "listening.py"
    listening.write_text("import sys\nsys.stdin.read()\n")
    monkeypatch.setattr(kernel_parent, "PROGRAM", listening)
    monkeypatch.setattr(kernel_parent, "SECONDS_TO_CLOSE", 60)
    parent = kernel_parent.KernelParent("quick", 1)
    parent.close()
    assert parent._process.returncode == 0
    assert sys.executable in parent._process.args
