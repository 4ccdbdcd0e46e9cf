"""Execution of planned runs: Ray, papermill, kernels, and the completion of records."""
