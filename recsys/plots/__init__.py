"""Figures for the notebooks, and the small tables under them. Only draws; computes and trains nothing."""
