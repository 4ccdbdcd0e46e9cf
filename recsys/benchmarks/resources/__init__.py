"""Memory and processes: memory-saving training techniques, model parallelism, compact weight files."""
