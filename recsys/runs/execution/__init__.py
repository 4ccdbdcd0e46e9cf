"""Running what was planned: Ray, papermill, kernels, and how a run ends."""
