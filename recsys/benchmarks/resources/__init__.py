"""Memory and processes: training tricks, model parallelism, files of weights."""
