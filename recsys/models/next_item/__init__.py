"""Next-item recommenders and their comparison over the whole catalogue."""
