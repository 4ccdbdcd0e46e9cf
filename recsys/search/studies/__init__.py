"""Studies on graded queries and logged searches: each asks one question of one data set, list by list."""
