"""What an agent may ask about a workspace. Answers are bounded; folders of the machine are never
part of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from pellucid.agents.errors import ImageFileMissingError, NoSuchItemError, TooManyItemsError
from pellucid.browse.image_ranking import ImageOrder
from pellucid.browse.query import ListQuery, Order, ReviewFilter
from pellucid.browse.selection import Tab
from pellucid.core.errors import PellucidError
from pellucid.core.tables import Split
from pellucid.export.json_documents import (
    gallery_document,
    images_document,
    metrics_document,
    thresholds_document,
)
from pellucid.images.crop_cache import CropCache
from pellucid.images.crop_region import box_crop_region
from pellucid.project import Version, Workspace
from pellucid.project.overview import describe_view

MOST_ITEMS = 50
"""Items, images or rows in one answer."""
MOST_CONCEPTS = 100
PICTURES = 2_000
"""Images read in search of slices."""
PICTURE_SIZES = (64, 1024)
"""Smallest and largest side of a picture, in pixels."""

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class WorkspaceTools:
    """The tools. Each public method without an underscore answers one kind of question."""

    def __init__(self, workspace: Workspace, crops: CropCache | None = None) -> None:
        self.workspace = workspace
        self._crops = crops or CropCache()

    def list_views(self) -> dict[str, Any]:
        """Views and their versions: kind, images per split, annotations, number of concepts, and
        per version its date, predictions, errors on validation and main figure."""
        views = [asdict(describe_view(self.workspace.view(name))) for name in self.workspace.views]
        return {"views": views[:MOST_ITEMS], "total": len(views)}

    def get_metrics(
        self, view: str, version: str, split: Split = "validation", corrected: bool = False
    ) -> dict[str, Any]:
        """Figures at the thresholds: per concept TP, FP, FN, precision, recall, F1 and AP, and
        overall COCO's twelve, mean AP or accuracy.

        Args:
            corrected: against the corrected annotations
        """
        opened = self._version(view, version)
        document = metrics_document(opened, opened.results(corrected), split)
        return bounded(document, "per_concept", MOST_CONCEPTS)

    def get_thresholds(self, view: str, version: str) -> dict[str, Any]:
        """The threshold of each concept: the one with the fewest errors on validation, with a
        bootstrap interval."""
        rows = thresholds_document(self._version(view, version).results())
        return {"thresholds": rows[:MOST_CONCEPTS], "total": len(rows)}

    def list_findings(
        self, view: str, version: str, split: Split = "validation", baseline: str | None = None
    ) -> dict[str, Any]:
        """What is wrong with a version, largest gain first, with evidence and the query that lists
        the items; and what was looked for and not found.

        Args:
            baseline: an older version
        """
        results = self._version(view, version).results()
        slices = results.slices(split, PICTURES)
        findings = results.findings_with_slices(split, slices, baseline)
        document = findings.document
        return {
            "findings": document[:MOST_ITEMS],
            "total": len(document),
            "not_found": list(findings.not_found),
        }

    def list_items(
        self,
        view: str,
        version: str,
        tab: Tab = "missing",
        concept: str | None = None,
        split: Split = "validation",
        order: Order = "score",
        review: ReviewFilter = "all",
        only: Sequence[str] = (),
        offset: int = 0,
        limit: int = 20,
    ) -> dict[str, Any]:
        """The items of a tab: all, matched (TP), missing (FP: predicted, not annotated) or extra
        (FN: annotated, not predicted).

        Args:
            order: score, margin, size, mistakes (likely label errors first) or similar
            only: filters, such as cause:background or score:0.5..0.9. At most 50 at a time; `total`
                says how many there are.
        """
        opened = self._version(view, version)
        query = ListQuery(
            tab, split, concept=concept, order=order, review=review, filters=tuple(only)
        )
        return gallery_document(
            opened, opened.results(), query, max(0, offset), clamp(limit, 1, MOST_ITEMS)
        )

    def show_item(
        self,
        view: str,
        version: str,
        position: int,
        tab: Tab = "missing",
        concept: str | None = None,
        split: Split = "validation",
        order: Order = "score",
        whole: bool = False,
        size: int = 384,
    ) -> bytes:
        """The picture of the item at a position of a list, as JPEG: the surroundings of its box, or
        the whole image.

        Args:
            size: the longer side in pixels, 64 to 1024
        """
        results = self._version(view, version).results()
        query = ListQuery(tab, split, concept=concept, order=order)
        gallery = results.gallery(query)
        if not 0 <= position < len(gallery):
            raise NoSuchItemError(position, len(gallery))
        item = gallery[position]
        image = results.image_locator.find_path(item.image)
        location = None if image is None else results.image_locator.location(image)
        if image is None or location is None:
            raise ImageFileMissingError(item.image)
        images = results.evaluation.images
        region = (
            None
            if whole or item.box is None
            else box_crop_region(item.box, int(images.width[image]), int(images.height[image]))
        )
        return self._crops.crop(location, region, clamp(size, *PICTURE_SIZES))

    def list_images(
        self,
        view: str,
        version: str,
        split: Split = "validation",
        order: ImageOrder = "errors",
        offset: int = 0,
        limit: int = 20,
    ) -> dict[str, Any]:
        """Images with their true positives, false positives and false negatives, most errors
        first."""
        ranking = self._version(view, version).results().images(split, order=order)
        return images_document(ranking, max(0, offset), clamp(limit, 1, MOST_ITEMS))

    def list_slices(self, view: str, version: str, split: Split = "validation") -> dict[str, Any]:
        """Groups of items with significantly more (or fewer) errors than elsewhere."""
        slices = self._version(view, version).results().slices(split, PICTURES)
        return {
            "slices": [error_slice.document for error_slice in slices[:MOST_ITEMS]],
            "total": len(slices),
        }

    def get_causes(
        self, view: str, version: str, split: Split = "validation", concept: str | None = None
    ) -> dict[str, Any]:
        """Errors by cause; in detection also the AP that fixing each kind would gain (TIDE)."""
        return asdict(self._version(view, version).results().causes(split, concept))

    def get_confusion(self, view: str, version: str, split: Split = "validation") -> dict[str, Any]:
        """The most confused pairs of concepts; null means none (background)."""
        results = self._version(view, version).results()
        matrix = results.confusion(split)
        names = [*results.evaluation.concepts, None]
        pairs = sorted(
            (
                (int(matrix[row, column]), names[row], names[column])
                for row, column in zip(*matrix.nonzero(), strict=True)
                if row != column
            ),
            key=lambda pair: -pair[0],
        )
        return {
            "pairs": [
                {"annotated": annotated, "predicted": predicted, "number": number}
                for number, annotated, predicted in pairs[:MOST_ITEMS]
            ],
            "total": len(pairs),
        }

    def compare_versions(
        self, view: str, baseline: str, candidate: str, split: Split = "validation"
    ) -> dict[str, Any]:
        """Errors before and after, fixed and broken annotations, and the verdict: better, worse,
        trade-off or no difference, overall and per concept."""
        results = self._version(view, baseline).results()
        comparison = results.compare(self._version(view, candidate).results(), split)
        return bounded(comparison.document, "per_concept", MOST_CONCEPTS)

    def list_history(self, view: str, offset: int = 0, limit: int = 20) -> dict[str, Any]:
        """Review decisions, newest first: who decided what about which item, and why."""
        decisions = self.workspace.view(view).reviews.history()[::-1]
        start = max(0, offset)
        page = decisions[start : start + clamp(limit, 1, MOST_ITEMS)]
        keys = ("id", "when", "who", "action", "image", "concept", "box", "reason", "version")
        rows = [{key: getattr(decision, key) for key in keys} for decision in page]
        return {"decisions": rows, "total": len(decisions)}

    def decide(
        self,
        view: str,
        version: str,
        positions: Sequence[int],
        verdict: Literal["wrong", "right", "unsure"],
        who: str,
        tab: Tab = "missing",
        concept: str | None = None,
        split: Split = "validation",
        order: Order = "score",
        reason: str = "",
    ) -> dict[str, Any]:
        """Record a verdict on items of a list: the annotation is wrong (it is corrected as the
        model says), right (the model is wrong) or unsure. People can revert it in the history."""
        opened = self._version(view, version)
        gallery = opened.results().gallery(ListQuery(tab, split, concept=concept, order=order))
        if not positions or len(positions) > MOST_ITEMS:
            raise TooManyItemsError(len(positions), MOST_ITEMS)
        for position in positions:
            if not 0 <= position < len(gallery):
                raise NoSuchItemError(position, len(gallery))
        items = [gallery[position] for position in positions]
        outcome = opened.view.reviews.decide(opened, items, verdict, who, reason=reason)
        return {"decisions": [row.id for row in outcome.decisions]}

    def _version(self, view: str, version: str) -> Version:
        return self.workspace.view(view).version(version)


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def bounded(document: dict[str, Any], key: str, limit: int) -> dict[str, Any]:
    """The document with at most `limit` rows under the key, and how many there are."""
    rows = document.get(key)
    if not isinstance(rows, dict | list) or len(rows) <= limit:
        return document
    kept = dict(list(rows.items())[:limit]) if isinstance(rows, dict) else rows[:limit]
    return {**document, key: kept, f"{key}_total": len(rows)}


def without_folders(
    workspace: Workspace, call: Callable[Arguments, Answer], error: Callable[[str], Exception]
) -> Callable[Arguments, Answer]:
    """The call, whose errors name no folder of this machine."""

    @wraps(call)
    def wrapped(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        try:
            return call(*arguments, **named)
        except PellucidError as refused:
            message = str(refused)
            for folder in (str(workspace.folder), workspace.location):
                message = message.replace(folder, workspace.name)
            raise error(message) from None

    return wrapped
