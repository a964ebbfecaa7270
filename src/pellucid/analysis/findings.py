"""What is wrong with a version, ranked by what acting on it would gain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pellucid.browse.query import ListQuery

FindingKind = Literal[
    "missing_labels",
    "wrong_labels",
    "threshold",
    "import",
    "slice",
    "rarely_found",
    "confused",
    "cause",
    "overfitting",
    "regression",
    "improvement",
]
FindingGroup = Literal["now", "training", "baseline"]
FINDING_GROUPS: dict[FindingGroup, str] = {
    "now": "Fix here, now",
    "training": "For the next training",
    "baseline": "Since the baseline",
}
"""In the order in which they are shown, with their headings."""
SIGNIFICANCE_LEVEL = 0.01
"""Of the tests of one kind of finding, after correction for their number."""


@dataclass(frozen=True)
class Gain:
    """What acting on a finding gains.

    Attributes:
        errors: removed, FP + FN; None where it cannot be stated
        at_most: it is an upper bound
        assumption: what it assumes, '' if it was counted
    """

    errors: int | None
    at_most: bool = False
    assumption: str = ""


def describe_gain(gain: Gain) -> str:
    """`at most 41 errors fewer, if these labels are missing`; '' where nothing can be stated."""
    if gain.errors is None:
        return ""
    noun = "error" if gain.errors == 1 else "errors"
    bound = "at most " if gain.at_most else ""
    condition = f", {gain.assumption}" if gain.assumption else ""
    return f"{bound}{gain.errors:,} {noun} fewer{condition}"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, with what acting on it gains.

    Attributes:
        sentence: with its numbers
        evidence: why it is claimed, in one line
        count: items concerned
        concept: None for several
        query: the list of its items, if any, at the given thresholds
        action: what to do, as a verb
    """

    kind: FindingKind
    group: FindingGroup
    sentence: str
    evidence: str
    gain: Gain
    count: int
    concept: str | None
    query: ListQuery | None
    action: str

    @property
    def key(self) -> str:
        """Identifies the finding when the version is opened again."""
        query = self.query
        sentence = re.sub(r"(?<![\w'])\d[\d,.]*(?![\w'])", "", self.sentence)
        details = (sentence,) if query is None else condition_keys(query)
        return "|".join((self.kind, self.concept or "", *details))


def condition_keys(query: ListQuery) -> tuple[str, ...]:
    """The split, the tab and the filters, other than ranges of scores: these differ with every
    correction."""
    filters = (text for text in query.filters if not text.startswith(("score:", "answered:")))
    return (query.split, query.tab, *sorted(filters))


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """By group; inside a group the largest gain first, ties by count, then by sentence."""
    order = list(FINDING_GROUPS)
    return sorted(
        findings,
        key=lambda finding: (
            order.index(finding.group),
            -(finding.gain.errors or 0),
            -finding.count,
            finding.sentence,
        ),
    )
