"""The HTTP server of a workspace and its web page."""
