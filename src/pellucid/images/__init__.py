"""Pictures: where they are, how large, which way up; crops of them, cached on disk."""
