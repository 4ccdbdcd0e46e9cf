"""What the records prove: criteria, the policy of statistics, verdicts, power and pre-registration."""
