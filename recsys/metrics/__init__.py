"""Ranking, classification and significance measures; depends on nothing else in the package."""
