"""Population-based training, live: its trials exchange weights and change their settings half-way."""
