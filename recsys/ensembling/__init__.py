"""Several models' outputs, or weights, made one: fusion of scores, stacking, selection, averaging."""
