"""Every question about one version in one state."""
