"""Every notebook with its defaults in a real JupyterLab, in a real browser, as a reader runs it."""

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.runs.report.browser import CHROMIUM, Browser

ONE_NOTEBOOK = 15 * 60  # seconds; the longest head says two minutes, and this machine may be busy
OPEN = """(async () => {
  await jupyterapp.restored;
  window.panel = await jupyterapp.commands.execute('docmanager:open', {path: PATH});
  await panel.context.ready;
  await panel.sessionContext.ready;
  jupyterapp.commands.execute('notebook:run-all-cells');
})()"""
LOOK = """(() => {
  const cells = [...panel.content.model.cells].filter(cell => cell.type === 'code');
  const outputs = cells.flatMap(
    (cell, number) => cell.toJSON().outputs.map(output => ({cell: number, ...output})));
  return {cells: cells.length, done: cells.filter(cell => cell.executionCount !== null).length,
          busy: panel.sessionContext.session?.kernel?.status !== 'idle',
          errors: outputs.filter(output => output.output_type === 'error')
                         .map(output => `cell ${output.cell}: ${output.ename}: ${output.evalue}`),
          pictures: outputs.filter(output => output.data?.['image/png']).length};
})()"""


CLOSE = "panel.sessionContext.shutdown()"  # 21 open kernels hold 13 GiB


class Lab:
    """A JupyterLab server over a folder of its own, which holds what a clone of the repository holds."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log = folder, log

    def __enter__(self) -> "Lab":
        self._token = secrets.token_hex(16)
        runtime = self.folder / ".jupyter-runtime"
        environment = os.environ | {
            "JUPYTER_TOKEN": self._token,  # not on the command line, where other users could read it
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTER_CONFIG_DIR": str(self.folder / ".jupyter-config"),
            "IPYTHONDIR": str(self.folder / ".ipython"),
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        command += ["--port=0", f"--ServerApp.root_dir={self.folder}", "--LabApp.expose_app_in_browser=True"]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._address = self._wait_for_address(runtime)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)  # the server ends its kernels
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait_for_address(self, runtime: Path) -> str:
        end = time.monotonic() + 120
        while time.monotonic() < end and self._process.poll() is None:
            for file in runtime.glob("jpserver-*.json"):
                if text := file.read_text():
                    return json.loads(text)["url"]
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start: {self.log.read_text()[-2000:]}")

    def run(self, browser: Browser, notebook: str) -> dict[str, Any]:
        """Open a notebook and run all its cells.

        Args:
            notebook: path below the folder.

        Returns:
            cells, done: code cells, and those that ran. errors: a line each. pictures: in the outputs.
            seconds: from "run all cells" to the last one's end, the kernel's start left out.
        """
        browser.open(f"{self._address}lab?reset&token={self._token}")
        end = time.monotonic() + ONE_NOTEBOOK
        while not browser.run("typeof jupyterapp === 'object'"):
            if time.monotonic() > end:
                raise RuntimeError("JupyterLab's page did not come up")
            time.sleep(0.2)
        browser.run(OPEN.replace("PATH", json.dumps(notebook)))
        started = time.monotonic()
        seen = browser.run(LOOK)
        while (seen["busy"] or seen["done"] < seen["cells"]) and not seen["errors"]:
            if time.monotonic() > end:
                raise RuntimeError(
                    f"{notebook}: {seen['done']} of {seen['cells']} cells after {ONE_NOTEBOOK} s"
                )
            time.sleep(0.5)
            seen = browser.run(LOOK)
        browser.run(CLOSE)
        return seen | {"seconds": round(time.monotonic() - started, 1)}


@contextmanager
def opened_lab() -> Iterator[tuple[Lab, Browser]]:
    """A JupyterLab over a clone of the repository, and a browser. What notebooks write stays in the clone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        clone = Path(place) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for notebook in (ROOT / "notebooks").glob("*.ipynb"):  # as they are now, committed or not
            shutil.copy(notebook, clone / "notebooks")
        with Lab(clone, Path(place) / "lab.log") as lab, Browser() as browser:
            yield lab, browser


def main(_: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    if CHROMIUM is None:
        print("chromium is not installed: nothing to run the notebooks in")
        return False, {}
    figures: dict[str, Any] = {}
    with opened_lab() as (lab, browser):
        for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
            seen = lab.run(browser, f"notebooks/{file.name}")
            figures[file.stem] = seen
            ran = f"{seen['done']} of {seen['cells']} cells, {seen['seconds']} s"
            print(f"{file.stem}: {ran} {seen['errors'] or ''}", flush=True)
    good = all(seen["done"] == seen["cells"] and not seen["errors"] for seen in figures.values())
    return good, figures
