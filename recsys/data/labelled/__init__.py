"""Labelled texts: intents, sentiments, relevance grades; one file a data set."""
