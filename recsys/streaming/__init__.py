"""Stream processing: checked events, user state, the Spark engine, low-latency overlay, online learners."""
