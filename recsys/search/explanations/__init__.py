"""Why a product ranks where it does: the two parts of S, the words of query and title, and a test of both."""
