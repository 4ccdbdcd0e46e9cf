"""A producer that sends until it has an answer: after a broken connection the same lines go out again.

So a line may stand twice in the stream, never nowhere. The ids of its events are the producer's own, which
is how the engine knows the repeat.
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
        patience: seconds of failing after which it gives up.

    Returns:
        how many calls had to be repeated.

    Raises:
        NoRedis: the server stayed away longer than `patience`.
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
