"""Users of two shops, and lists of other sectors: insurance, courses, drugs."""
