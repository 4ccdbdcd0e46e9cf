"""Tasks that evaluate fusion: product classification, cross-modal retrieval, next-item recommendation."""
