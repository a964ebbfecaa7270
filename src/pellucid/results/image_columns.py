"""The user's columns about images, kept from the annotation files."""

from __future__ import annotations

import json

from pellucid.core.tables import Images


def metadata_columns(images: Images) -> dict[str, list[str]]:
    """Per column, by name, the value of each image as text, '' if missing."""
    records = [json.loads(text) if text else {} for text in images.metadata.tolist()]
    names = sorted({name for record in records for name in record})
    return {name: [str(record.get(name, "")) for record in records] for name in names}
