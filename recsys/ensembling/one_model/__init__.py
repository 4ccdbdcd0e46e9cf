"""Ensembles at the serving cost of one model: weight averaging, merged adapters, distillation."""
