"""From records to verdicts: criteria, claims, results, publishing, verification."""
