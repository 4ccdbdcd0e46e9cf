"""Models of labelled texts: classes, grades, pairs."""
