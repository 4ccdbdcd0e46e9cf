"""What the records prove: criteria, the policy of statistics, verdicts on claims, power and pre-registration."""
