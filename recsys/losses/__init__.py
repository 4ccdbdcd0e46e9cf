"""Losses over users × items: exact, chunked so that the N×M table of scores never exists at once."""
