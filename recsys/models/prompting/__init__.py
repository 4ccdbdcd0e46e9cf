"""Prompting a generative model without training: label words, short answers, ranking, memorisation."""
