"""Hyperparameter search: typed search spaces, samplers behind one interface, equal and logged budgets."""
