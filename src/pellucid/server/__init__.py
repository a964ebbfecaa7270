"""HTTP over a workspace, and the page."""
