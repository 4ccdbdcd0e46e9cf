"""What notebooks measure with and no user imports: timings, limits, comparisons of encoders."""
