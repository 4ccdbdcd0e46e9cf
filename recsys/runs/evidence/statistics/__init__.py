"""Statistics of one criterion: the policy, the matching records, the observations, the test and its state."""
