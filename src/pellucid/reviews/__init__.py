"""Storage of review decisions: append-only tables in SQLite or PostgreSQL, and content hashes that identify images."""
