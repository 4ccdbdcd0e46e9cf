"""Streams: checked events, the state that they fold into, the engine, the overlay before it, online learners."""
