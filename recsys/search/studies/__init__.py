"""Studies on graded queries and logged searches: one question each, with paired differences per list."""
