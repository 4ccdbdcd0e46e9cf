"""Figures of the applications beyond the shop, one file a notebook."""
