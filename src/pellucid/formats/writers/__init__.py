"""Writers of annotations and predictions."""
