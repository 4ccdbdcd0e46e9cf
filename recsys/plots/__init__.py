"""Publication-quality figures for the notebooks; draws what it is given and computes nothing new."""
