"""Findings that people dismissed as known, kept with a version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pellucid.storage.files import load_manifest, reject_remote, write_lock, write_manifest

KNOWN_FINDINGS = "known_findings.json"
"""In the version's folder."""


@dataclass(frozen=True)
class KnownFinding:
    """A finding that somebody dismissed as known.

    Attributes:
        who: the name of the person who dismissed it
        when: ISO 8601, UTC
        remark: may be ''
    """

    who: str
    when: str
    remark: str


class KnownFindings(msgspec.Struct):
    """The findings of a version that were dismissed as known.

    Attributes:
        by_key: see Finding.key
    """

    by_key: dict[str, KnownFinding] = {}


def load_known_findings(version_folder: Path) -> dict[str, KnownFinding]:
    """By the finding's key."""
    path = version_folder / KNOWN_FINDINGS
    return load_manifest(path, KnownFindings).by_key if path.is_file() else {}


def mark_finding(
    workspace_folder: Path, version_folder: Path, key: str, known: bool, who: str, remark: str
) -> dict[str, KnownFinding]:
    """Dismiss a finding as known, or take that back; return all that are known.

    Raises:
        RemoteChangeError: the workspace is in a store, where it is only read.
    """
    reject_remote(workspace_folder)
    with write_lock(workspace_folder):
        by_key = load_known_findings(version_folder)
        by_key.pop(key, None)
        if known:
            when = datetime.now(UTC).isoformat(timespec="seconds")
            by_key[key] = KnownFinding(who, when, remark)
        write_manifest(version_folder / KNOWN_FINDINGS, KnownFindings(by_key))
    return by_key
