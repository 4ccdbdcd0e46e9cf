"""What fusion is judged by: classes of products, retrieval across modalities, next items."""
