"""Texts with labels: intents, sentiments, relevance grades; one file per data set."""
