"""The database of review decisions."""
