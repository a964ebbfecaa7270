"""The words by which columns and fields say that a record does not count: deleted, rejected."""

from __future__ import annotations

from pellucid.formats.tabular.column_names import parse_column_name

DELETED_WORDS = {
    *("deleted", "delete", "excluded", "exclude", "removed", "remove", "rejected", "reject"),
    *("discarded", "discard", "skip", "skipped", "drop", "dropped", "disabled", "archived"),
    *("draft", "superseded", "obsolete", "outdated", "void", "voided", "suppressed", "invalid"),
    *("retracted", "withdrawn", "duplicate", "ignoreineval", "ignoredineval"),
}
"""Names of columns that mark rows which are left out where they say yes."""
KEPT_WORDS = {
    *("keep", "kept", "accepted", "accept", "approved", "include", "included", "correct"),
    *("validated", "valid", "active", "enabled", "use", "used", "latest", "current", "afternms"),
    *("qcpassed", "qapassed", "passed"),
}
"""Names of columns that mark rows which are left out where they say no."""
OTHER_WORDS = {"is", "was", "label", "annotation", "annotations", "box", "bbox", "object", "row"}
"""Words that such names may have as well: `is_valid_box`."""
ANSWER_NAMES = (
    *("answer", "status", "state", "review", "decision", "qc", "qa"),
    *("reviewstatus", "labelstatus", "annotationstatus", "reviewstate", "qcstatus", "qastatus"),
    *("action", "disposition", "verdict"),
)
REJECTING_WORDS = (
    *("reject", "rejected", "ignore", "ignored", "skip", "skipped", "deleted", "removed"),
    *("discard", "discarded", "exclude", "excluded", "invalid", "fail", "failed", "drop"),
    *("dropped", "draft", "void", "obsolete", "superseded", "archived", "remove", "delete"),
)
"""Answers of annotators and reviewers who did not accept a row (Prodigy)."""
ACCEPTING_WORDS = (
    *("accept", "accepted", "approve", "approved", "ok", "done", "valid", "pass"),
    *("passed", "complete", "completed", "reviewed", "labeled", "labelled", "annotated"),
    *("submitted", "verified", "confirmed", "keep", "kept", "pending", "unsure", ""),
    *("final", "published", "active", "current"),
)
"""What else such a column says: another word is of something else, such as the camera."""


def marking_word(column: str) -> str:
    """The name of a column without the words that any such name may have."""
    tokens = parse_column_name(column).tokens
    return "".join(token for token in tokens if token not in OTHER_WORDS)
