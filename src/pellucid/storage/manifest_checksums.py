"""Checksums of manifests, each in the manifest itself."""

from __future__ import annotations

import hashlib

import msgspec

MANIFEST_CHECKSUM = "manifest_sha256"
"""The last key of a manifest: of all others, as compact JSON in their order."""


def stamp_manifest(encoded: bytes) -> bytes:
    """A JSON object, compact as msgspec writes it, with its checksum."""
    digest = hashlib.sha256(encoded).hexdigest()
    return encoded[:-1] + f',"{MANIFEST_CHECKSUM}":"{digest}"}}'.encode()


def is_manifest_intact(content: bytes) -> bool:
    """Whether a JSON object is what its checksum says. Those of older releases have none."""
    fields = msgspec.json.decode(content)
    digest = fields.pop(MANIFEST_CHECKSUM, None)
    return digest is None or hashlib.sha256(msgspec.json.encode(fields)).hexdigest() == digest
