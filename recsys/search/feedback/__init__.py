"""Implicit feedback on search results: position bias, click rates, reviews, off-policy evaluation."""
