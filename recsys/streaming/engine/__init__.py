"""What the engine needs around it: Spark and its Java, sources of lines, a Redis server, a producer."""
