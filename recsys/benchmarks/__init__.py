"""What only notebooks measure with: timings, hardware limits, caches, encoders, the whole stack by steps."""
