"""The engine's environment: Spark and its Java, data sources, a Redis server, a producer."""
