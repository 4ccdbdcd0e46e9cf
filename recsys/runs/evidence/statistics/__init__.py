"""One criterion judged by the records that match it: policy, criteria, what was measured, rules."""
