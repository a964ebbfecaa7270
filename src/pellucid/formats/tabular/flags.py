"""Cells that state yes, no or unknown."""

TRUE_WORDS = ("1", "1.0", "true", "yes", "y", "present")
FALSE_WORDS = ("0", "0.0", "false", "no", "n", "absent")
POSITIVE_WORDS, NEGATIVE_WORDS = ("positive", *TRUE_WORDS), ("negative", *FALSE_WORDS)
MISSING_WORDS = ("", "na", "nan")
"""Cells that state nothing; R writes NA."""
MINUS_WORDS = ("-1", "-1.0")
"""Uncertain beside 0 and 1; negative where the table has only 1 and -1."""
