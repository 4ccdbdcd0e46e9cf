"""Cheaper forms of attention: what each costs, and what becomes of an encoder's vectors."""
