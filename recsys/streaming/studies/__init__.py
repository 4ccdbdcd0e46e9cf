"""The studies of notebook 08: freshness, new items, drift, throughput, latency, faults."""
