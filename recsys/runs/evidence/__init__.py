"""What the records show: claims and criteria, verdicts, power, pre-registration, verification."""
