"""What runs left behind, and what it proves: records, verdicts, verification, publication, repetition."""
