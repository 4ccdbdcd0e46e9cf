"""Models of labelled texts (classes, grades, pairs of texts): encoders with a head, and their tasks."""
