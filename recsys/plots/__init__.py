"""Figures for the notebooks, and the tables and statistics beside them. Trains nothing, decides nothing."""
