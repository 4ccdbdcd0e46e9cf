"""What the engine (`recsys.streaming.dataflow`) runs on: Spark and its Java, sources, Redis, a producer."""
