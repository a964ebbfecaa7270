"""Documents of the findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pellucid.analysis.findings import FindingGroup, FindingKind, Gain
from pellucid.browse.query import Order
from pellucid.browse.selection import Tab
from pellucid.core.tables import Split
from pellucid.project.known_findings import KnownFinding
from pellucid.server.schemas.review_schema import ReasonText


@dataclass(frozen=True)
class FindingList:
    """The list of a finding's items.

    Attributes:
        concept: its index, null for all
    """

    tab: Tab
    split: Split
    concept: int | None
    order: Order
    only: list[str]


@dataclass(frozen=True)
class FindingDocument:
    """A finding with the filters that select its items.

    Attributes:
        key: identifies the finding when the version is opened again
        concept: its name, null for several
        items: the list of its items, null if they are not in a gallery
        known: by whom it was dismissed as known, null if it was not
    """

    key: str
    kind: FindingKind
    group: FindingGroup
    sentence: str
    evidence: str
    gain: Gain
    count: int
    concept: str | None
    items: FindingList | None
    action: str
    known: KnownFinding | None


@dataclass(frozen=True)
class FindingsDocument:
    """The findings of a version.

    Attributes:
        findings: best first
        not_found: what was looked for and not found
        read, of: pictures analyzed so far in search of slices
        ready: whether all are
    """

    findings: list[FindingDocument]
    not_found: list[str]
    read: int
    of: int
    ready: bool


@dataclass(frozen=True)
class KnownFindingRequest:
    """Dismiss a finding as known, or take that back.

    Attributes:
        key: of the finding
        known: false takes it back
    """

    key: Annotated[str, Field(min_length=1, max_length=2_000)]
    known: bool
    who: Annotated[str, Field(max_length=200)] = ""
    remark: ReasonText = ""
