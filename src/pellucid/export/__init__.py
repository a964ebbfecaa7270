"""Data sets, reports and HTML pages for other tools and people."""
