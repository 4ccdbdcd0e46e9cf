"""A generative model used without training: label words, short answers, order of candidates, what it
remembers.
"""
