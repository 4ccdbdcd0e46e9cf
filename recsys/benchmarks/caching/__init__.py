"""Caches in front of an encoder: query traffic, hit rates, staleness of answers, measured latencies."""
