"""The core: pure functions from columns to columns. No input or output, no web, no globals."""
