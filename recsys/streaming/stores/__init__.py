"""Feature stores: what every one of them does, the embedded one, the one in Redis, and the door to them."""
