"""Streams: checked events, the state they fold into, the engine, the overlay, online learners."""
