"""The whole stack of 000 §3.2 as a ladder: its steps alone, added up, and added in another order."""
