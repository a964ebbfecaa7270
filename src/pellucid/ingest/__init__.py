"""From parsed files to the tables of a view or a version."""
