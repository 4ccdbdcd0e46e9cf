"""Figures for the notebooks, and the small tables under them. Draws what it is given; trains nothing."""
