"""A web server on this machine that behaves as badly as the ones out there."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<!DOCTYPE html>\n<html><body>Please log in to continue</body></html>\n"


class LoopbackServer:
    """Serves `content` at any path, spoilt as `behaviour` says.

    behaviour:
        "good": whole, and ranges as asked for.
        "cuts": announces everything, sends up to the next position of `cuts` and hangs up; good after that.
        "always cut": announces everything, sends the first half whatever is asked for, hangs up.
        "no ranges": whole, also when a range was asked for.
        "lies about ranges": answers a request for a range with the right header and other bytes.
        "html": a log-in page with status 200; "html as text": the same, called plain text.
        "status": answers with the number in `status`.
        "stalls": sends the first half, then waits until the server is closed.
    """

    def __init__(self):
        self.content = b""
        self.behaviour = "good"
        self.status = 404
        self.cuts: list[int] = []
        self.ranges: list[str | None] = []  # header Range of each request, in order
        self.closing = threading.Event()
        self.reached_half = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    def url(self, name: str = "file") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    def __enter__(self) -> "LoopbackServer":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *exception) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.ranges.append(asked)
            if server.behaviour == "status":
                self.send_error(server.status)
            elif server.behaviour in ("html", "html as text"):
                kind = "text/html" if server.behaviour == "html" else "text/plain"
                self.answer(200, HTML, len(HTML), kind)
            else:
                self.send_content(asked)

        def send_content(self, asked: str | None) -> None:
            content, behaviour = server.content, server.behaviour
            start = int(re.match(r"bytes=(\d+)-", asked)[1]) if asked else 0
            if behaviour in ("always cut", "no ranges"):
                start = 0
            if asked and start >= len(content):
                self.answer(416, b"", 0, extra={"Content-Range": f"bytes */{len(content)}"})
                return
            end = len(content)
            if behaviour in ("always cut", "stalls"):
                end = len(content) // 2
            elif behaviour == "cuts" and server.cuts:
                end = max(start, min(end, server.cuts.pop(0)))
            body = content[start:end]
            if behaviour == "lies about ranges" and start:
                body = bytes(255 - byte for byte in body)
            extra = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            self.answer(206 if start else 200, body, len(content) - start, extra=extra)
            if behaviour == "stalls":
                self.wfile.flush()
                server.reached_half.set()
                server.closing.wait(30)

        def answer(
            self, status: int, body: bytes, announced: int, kind: str = "text/plain", extra=None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(announced))
            for name, value in (extra or {}).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # a client hangs up when it has seen enough
                self.wfile.write(body)

        def log_message(self, *arguments) -> None:
            """Keep the tests' output clean."""

    return Handler
