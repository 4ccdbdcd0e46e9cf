"""Benchmarks that notebooks 02, 05 and 06 use: timings, hardware limits, comparisons of encoders, caches."""
