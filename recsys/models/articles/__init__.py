"""The articles' own printed programs: what stops them, and their mended form."""
