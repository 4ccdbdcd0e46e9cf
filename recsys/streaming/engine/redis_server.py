"""A temporary Redis server on a free loopback port, with a password, for tests, drills and the notebook.

A shop uses the address of its own server instead, with `appendonly yes` and `appendfsync always` as here:
only then is a batch that Spark believes stored still there after the server was killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recsys.streaming.errors import NoRedis
from recsys.streaming.stores.redis_store import PASSWORD, connect

SECONDS_TO_START = 60
# appendfsync always: "everysec" may answer before it has written while an fsync runs, and what was answered
# and then lost is behind Spark's checkpoint: nobody would send it again
SETTINGS = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync always
save ""
daemonize no
loglevel warning
"""


@dataclass
class RedisServer:
    """A server process. address: "redis://127.0.0.1:port/0"."""

    address: str
    settings: Path
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, or restart it from its append-only file.

        Raises:
            NoRedis: it does not answer in time.
        """
        self.process = subprocess.Popen(
            ["redis-server", str(self.settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                connect(self.address).close()
                return
            except NoRedis:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """Kill it (SIGKILL); data that was not yet in its file is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def installed() -> bool:
    """Whether a redis-server is on the search path (Debian: apt-get install redis-server)."""
    return shutil.which("redis-server") is not None


@contextlib.contextmanager
def redis_server(folder: Path | None = None) -> Iterator[RedisServer]:
    """Context manager: a running server; its password is in the environment (`PASSWORD`) meanwhile.

    An existing password is used: a Spark session passes the environment of its start to its workers, so
    either enter this context first, or set the password before both.

    Args:
        folder: for its files; by default a temporary one.

    Raises:
        NoRedis: redis-server is not installed, or does not start.
    """
    if not installed():
        raise NoRedis("redis-server is not installed (Debian: apt-get install redis-server)")
    own = folder is None
    folder = Path(tempfile.mkdtemp(prefix="recsys-redis-")) if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get(PASSWORD)
    password = before or secrets.token_hex(16)
    port = _free_port()
    settings = folder / "redis.conf"
    settings.touch(mode=0o600)
    settings.write_text(SETTINGS.format(port=port, password=password, folder=folder))
    os.environ[PASSWORD] = password
    server = RedisServer(f"redis://127.0.0.1:{port}/0", settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        if before is None:
            os.environ.pop(PASSWORD, None)
        else:
            os.environ[PASSWORD] = before
        if own:
            shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
