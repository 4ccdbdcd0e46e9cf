"""Customer service: what a question wants, when to refuse, what to answer, what not to write down."""
