"""Headless Chromium over its debugging port: what a page asks for, complains about and measures.

Chromium's smallest window is about 500 px wide, so a telephone's width is set through device emulation.
"""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--hide-scrollbars",
]
MEASURE = """(() => {
  const wide = [...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    if (box.width === 0 || box.right <= innerWidth + 1) return false;
    for (let up = e.parentElement; up; up = up.parentElement)
      if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(up).overflowX)) return false;
    return true;
  });
  return {inner: innerWidth, scroll: document.documentElement.scrollWidth,
          wide: wide.slice(0, 5).map(e => e.outerHTML.slice(0, 120)),
          broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
          title: document.title};
})()"""


@dataclass(frozen=True)
class Visit:
    """One page at one width: its widths in CSS pixels, its complaints and what it loaded."""

    inner: int
    scroll: int
    wide: list[str]  # elements that stick out
    broken: list[str]  # pictures that did not load
    title: str
    complaints: list[str]
    requests: list[str]


class Browser:
    """A Chromium process with one tab; use as a context manager."""

    def __enter__(self) -> "Browser":
        from websocket import create_connection

        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={self._home.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._port()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            page = next(target for target in json.load(answer) if target["type"] == "page")
        self._socket = create_connection(page["webSocketDebuggerUrl"], timeout=60)
        self._numbers, self._events = itertools.count(1), []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)
        self._home.cleanup()

    def _port(self) -> str:
        file, end = Path(self._home.name) / "DevToolsActivePort", time.monotonic() + 60
        while not (file.is_file() and file.read_text().strip()):
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError("Chromium did not open its debugging port")
            time.sleep(0.05)
        return file.read_text().splitlines()[0]

    def _call(self, method: str, **parameters: object) -> dict:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._events.append(message)

    def _wait_for(self, method: str) -> None:
        while not any(event["method"] == method for event in self._events):
            self._events.append(json.loads(self._socket.recv()))

    def visit(self, page: Path, width: int, dark: bool = False, unfold: bool = True) -> Visit:
        """Open a file and measure it; `unfold` opens every <details> first."""
        self._events.clear()
        self._call("Page.navigate", url="about:blank")  # else the page before this one still loads pictures
        self._wait_for("Page.loadEventFired")
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=True
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        self._wait_for("Page.loadEventFired")
        if unfold:
            self.run("document.querySelectorAll('details').forEach(d => { d.open = true })")
        measured = self.run(MEASURE)
        return Visit(**measured, complaints=self._complaints(), requests=self._requests())

    def open(self, address: str) -> None:
        """Go to an address; returns when its page has loaded, whatever its scripts still do."""
        self._events.clear()
        self._call("Page.navigate", url=address)
        self._wait_for("Page.loadEventFired")

    def run(self, script: str) -> object:
        """The value of a JavaScript expression in the page; a promise is waited for.

        Raises:
            RuntimeError: the expression, or its promise, threw.
        """
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"].get("exception", answer["exceptionDetails"])))
        return answer["result"].get("value")

    def press_tab(self) -> str:
        """One press of the tab key; the element that then has the focus."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        return self.run("document.activeElement.outerHTML.slice(0, 80)")

    def screenshot(self, path: Path) -> None:
        """The whole page as last visited."""
        result = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(result["data"]))

    def _complaints(self) -> list[str]:
        found = []
        for event in self._events:
            parameters = event["params"]
            if event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append(parameters["entry"]["text"])
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(parameters["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
                found.append(str(parameters["args"]))
            elif event["method"] == "Network.loadingFailed" and not parameters.get("canceled"):
                # cancelled: <picture> changed its mind while the width was being set
                found.append(f"loading failed: {parameters['errorText']}")
        return found

    def _requests(self) -> list[str]:
        sent = (e for e in self._events if e["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in sent]
