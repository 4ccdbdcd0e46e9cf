"""What notebook 08 measures: freshness, newness, drift, load, latency, faults."""
