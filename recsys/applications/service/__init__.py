"""Customer service: what a question wants, when to refuse, what to answer, and what must not be written down."""
