"""Cheaper forms of attention: their costs, and their effect on an encoder's vectors."""
