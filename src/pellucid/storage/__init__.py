"""How a workspace is kept on disk or in an object store."""
