"""What people decided, kept: rows that are only appended, in SQLite or PostgreSQL, and what ties them to pictures."""
