"""The engine's driver as a process of its own, to be killed by the drill `streams`.

Usage: python -m tests.drills.stream_driver ADDRESS CHECKPOINT CATALOGUE [to-end]
"""

import sys

from recsys.streaming.dataflow import Flow, run_to_end, start
from recsys.streaming.engine.spark_session import spark_session

LINES_A_BATCH = 2_000
SECONDS_BETWEEN_BATCHES = 0.2


def main() -> None:
    address, checkpoint, catalogue, *more = sys.argv[1:]
    flow = Flow(address, checkpoint, address, per_batch=LINES_A_BATCH, catalogue=catalogue, top_k=5)
    with spark_session("local[2]", memory_mb=768) as spark:
        if more:
            run_to_end(spark, flow)
        else:
            start(spark, flow, SECONDS_BETWEEN_BATCHES).awaitTermination()


if __name__ == "__main__":
    main()
