"""A producer with at-least-once delivery: it sends again until it gets an answer.

After a broken connection a line may be in the stream twice, but is never lost. Events have ids given by the
producer, by which the engine recognises repeats.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from recsys.streaming.errors import NoRedis
from recsys.streaming.stores.redis_store import connect

LINES_A_CALL = 500
SECONDS_BETWEEN_TRIES = 0.05


def send(address: str, stream: str, lines: Sequence[str], patience: float = 60.0) -> int:
    """Append lines to a Redis stream in order.

    Args:
        patience: seconds of failures after which it gives up.

    Returns:
        Number of calls that had to be repeated.

    Raises:
        NoRedis: the server was not available for `patience` seconds.
    """
    import redis

    repeated, client, failing_since = 0, None, None
    for start in range(0, len(lines), LINES_A_CALL):
        part = lines[start : start + LINES_A_CALL]
        while True:
            try:
                client = client or connect(address, socket_timeout=5)
                with client.pipeline(transaction=False) as pipe:
                    for line in part:
                        pipe.xadd(stream, {"line": line})
                    pipe.execute()
                failing_since = None
                break
            except (redis.RedisError, NoRedis) as error:
                client, repeated = None, repeated + 1
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > patience:
                    raise NoRedis(f"{address} took no event for {patience:g} s: {error}") from None
                time.sleep(SECONDS_BETWEEN_TRIES)
    return repeated
