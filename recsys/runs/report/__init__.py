"""The report: a static site of verdicts, comparisons, records and executed notebooks."""
