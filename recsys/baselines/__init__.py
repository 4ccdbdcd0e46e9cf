"""Trivial and classical recommenders that every table of results carries beside the new method."""
