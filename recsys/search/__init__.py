"""Product search: BM25, bi-encoders, re-ranking, vector indexes and formats, click feedback, studies."""
