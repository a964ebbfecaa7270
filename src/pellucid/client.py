"""A client of a running server: the answers of its HTTP interface as the same dataclasses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

import msgspec

from pellucid.browse.query import Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.errors import PellucidError
from pellucid.core.tables import Split
from pellucid.project.overview import ViewOverview
from pellucid.results.property_ranges import PropertyRanges
from pellucid.review.events import Verdict
from pellucid.server.schemas.analysis_schema import (
    CausesDocument,
    ComparisonDocument,
    CurvesDocument,
    HeadlineDocument,
    SlicesDocument,
)
from pellucid.server.schemas.findings_schema import FindingsDocument
from pellucid.server.schemas.gallery_schema import (
    FiguresDocument,
    ImageDocument,
    ImagesDocument,
    PageDocument,
    PageItem,
    VersionDocument,
    WorkspaceDocument,
)
from pellucid.server.schemas.review_schema import HistoryDocument, ReviewOutcomeDocument

Answer = TypeVar("Answer")
TIMEOUT_S = 60.0
PAGE_ITEMS = 500


class ServerResponseError(PellucidError):
    """The server refused a request, or cannot be reached. status: of HTTP, 0 without an answer."""

    def __init__(self, address: str, message: str, status: int = 0) -> None:
        super().__init__(f"{address}: {message}")
        self.status = status


class Client:
    """The interface `/api/v1/` of `pellucid serve`.

    client = pellucid.Client("http://127.0.0.1:8000", token="...")
    for item in client.items("panels", "yolo-3", "missing"):
        print(item.path, item.score)
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        """address: of the server, as it prints it; a token in it is used. token: the access token,
        where one is needed."""
        base, _, query = address.partition("?")
        self.address = base.rstrip("/")
        stated = dict(part.partition("=")[::2] for part in query.split("&") if part)
        self._token = token or stated.get("token")

    def workspace(self) -> WorkspaceDocument:
        """The views and versions."""
        return self._get("workspace", WorkspaceDocument)

    def overview(self, view: str, split: Split = "validation") -> ViewOverview:
        """The versions of a view with their main figures."""
        return self._get(f"views/{quote(view, '')}/overview", ViewOverview, split=split)

    def version(self, view: str, version: str) -> VersionDocument:
        """A version's concepts, splits and notes; other answers refer to concepts by index."""
        return self._get(version_path(view, version), VersionDocument)

    def figures(
        self, view: str, version: str, split: Split = "validation", corrected: bool = False
    ) -> FiguresDocument:
        """The threshold and the counts of each concept."""
        return self._ask(
            view, version, "figures", FiguresDocument, split=split, corrected=corrected
        )

    def headline(
        self, view: str, version: str, split: Split = "validation", corrected: bool = False
    ) -> HeadlineDocument:
        """AP, accuracy and the like."""
        return self._ask(
            view, version, "headline", HeadlineDocument, split=split, corrected=corrected
        )

    def curves(self, view: str, version: str, concept: int | None = None) -> CurvesDocument:
        """Curves, histograms and calibration of each split. concept: None pools all."""
        return self._ask(view, version, "curves", CurvesDocument, concept=concept)

    def causes(
        self, view: str, version: str, split: Split = "validation", concept: int | None = None
    ) -> CausesDocument:
        """How many errors have which cause."""
        return self._ask(view, version, "causes", CausesDocument, split=split, concept=concept)

    def page(
        self,
        view: str,
        version: str,
        tab: Tab = "all",
        split: Split = "validation",
        concept: int | None = None,
        offset: int = 0,
        limit: int = 100,
        order: Order = "score",
        review: ReviewFilter = "all",
        only: Sequence[str] = (),
        corrected: bool = False,
    ) -> PageDocument:
        """One page of a tab's items; only: filters, as `cause:background`."""
        return self._ask(
            view,
            version,
            "page",
            PageDocument,
            tab=tab,
            split=split,
            concept=concept,
            offset=offset,
            limit=limit,
            order=order,
            review=review,
            only=list(only),
            corrected=corrected,
        )

    def items(self, view: str, version: str, tab: Tab = "all", **query: Any) -> Iterator[PageItem]:
        """All items of a tab, page by page. query: as of `page`, without offset and limit."""
        offset = 0
        while True:
            found = self.page(view, version, tab, offset=offset, limit=PAGE_ITEMS, **query)
            yield from found.items
            offset += len(found.items)
            if not found.items or offset >= found.total:
                return

    def images(
        self, view: str, version: str, split: Split = "validation", offset: int = 0, limit: int = 40
    ) -> ImagesDocument:
        """Whole images, most errors first."""
        return self._ask(
            view, version, "images", ImagesDocument, split=split, offset=offset, limit=limit
        )

    def image(self, view: str, version: str, image: int) -> ImageDocument:
        """Everything annotated and predicted on an image. image: `PageItem.image`."""
        return self._get(f"{version_path(view, version)}/images/{image}", ImageDocument)

    def properties(
        self, view: str, version: str, tab: Tab = "all", split: Split = "validation"
    ) -> PropertyRanges:
        """What the items of a tab can be filtered by."""
        return self._ask(view, version, "properties", PropertyRanges, tab=tab, split=split)

    def findings(
        self,
        view: str,
        version: str,
        split: Split = "validation",
        baseline: str | None = None,
        corrected: bool = False,
    ) -> FindingsDocument:
        """What is wrong, ranked by what fixing it would gain."""
        return self._ask(
            view,
            version,
            "findings",
            FindingsDocument,
            split=split,
            baseline=baseline,
            corrected=corrected,
        )

    def slices(self, view: str, version: str, split: Split = "validation") -> SlicesDocument:
        """Kinds of items with more errors than elsewhere."""
        return self._ask(view, version, "slices", SlicesDocument, split=split)

    def compare(
        self, view: str, baseline: str, candidate: str, split: Split = "validation"
    ) -> ComparisonDocument:
        """What the candidate fixed and broke."""
        path = f"{version_path(view, baseline)}/compare/{quote(candidate, '')}"
        return self._get(path, ComparisonDocument, split=split)

    def history(self, view: str, offset: int = 0, limit: int = 100) -> HistoryDocument:
        """The review decisions, newest first."""
        path = f"views/{quote(view, '')}/history"
        return self._get(path, HistoryDocument, offset=offset, limit=limit)

    def decide(
        self,
        view: str,
        version: str,
        items: Sequence[PageItem],
        verdict: Verdict,
        who: str,
        reason: str = "",
    ) -> ReviewOutcomeDocument:
        """Record a verdict on items of a page. who: the reviewer's name."""
        names = self.version(view, version).concepts
        references = [
            {
                "image": item.path,
                "concept": names[item.concept],
                "side": "annotated" if item.outcome == "extra" else "predicted",
                "box": item.box,
                "score": None if item.outcome == "extra" else item.score,
            }
            for item in items
        ]
        body = {
            "items": references,
            "verdict": verdict,
            "who": who,
            "batch": uuid4().hex,
            "reason": reason,
        }
        path = f"{version_path(view, version)}/decisions"
        return self._read(path, ReviewOutcomeDocument, body)

    def _ask(
        self, view: str, version: str, what: str, answer: type[Answer], **query: Any
    ) -> Answer:
        return self._get(f"{version_path(view, version)}/{what}", answer, **query)

    def _get(self, path: str, answer: type[Answer], **query: Any) -> Answer:
        stated = {
            key: str(value).lower() if isinstance(value, bool) else value
            for key, value in query.items()
            if value is not None and value is not False
        }
        text = urlencode(stated, doseq=True)
        return self._read(f"{path}?{text}" if text else path, answer, None)

    def _read(self, path: str, answer: type[Answer], body: Mapping[str, Any] | None) -> Answer:
        """Raises ServerResponseError."""
        location = f"{self.address}/api/v1/{path}"
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
        try:
            with urlopen(Request(location, data, headers), timeout=TIMEOUT_S) as response:
                return msgspec.json.decode(response.read(), type=answer)
        except HTTPError as error:
            raise ServerResponseError(location, refusal_text(error), error.code) from error
        except (URLError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise ServerResponseError(location, f"cannot be reached: {reason}") from error


def version_path(view: str, version: str) -> str:
    return f"views/{quote(view, '')}/versions/{quote(version, '')}"


def refusal_text(error: HTTPError) -> str:
    """What the server says is wrong."""
    try:
        detail = json.loads(error.read())["detail"]
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
    if isinstance(detail, str):
        return detail
    problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in detail]
    return f"invalid request: {'; '.join(problems)}"
