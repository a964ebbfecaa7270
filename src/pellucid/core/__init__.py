"""What every package builds on: tables, URLs, errors."""
