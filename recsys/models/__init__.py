"""Recommenders; each scores every item of the catalogue for given users."""
