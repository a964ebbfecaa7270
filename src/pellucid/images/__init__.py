"""Image files: location, size, orientation; crops, cached on disk."""
