"""Feature stores: their interface, the embedded one (SQLite), the one in Redis, and opening by address."""
