"""The one search over settings: typed spaces, samplers behind one interface, equal and logged budgets."""
