"""Ensembles of recommenders: score fusion, stacking, selection, weight averaging, distillation, stability."""
