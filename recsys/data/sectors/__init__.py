"""Tables of applications beyond one shop: weekly sales, pairs of shops, insurance, courses, drug reviews."""
