"""A tab as a sequence of items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, overload

from pellucid.browse.items import Item, gallery_items
from pellucid.browse.list_views import ListView
from pellucid.core.display import render_html
from pellucid.core.errors import MissingDependencyError
from pellucid.review.image_locator import ImageLocator

BATCH_SIZE = 1_000


class Gallery(Sequence[Item]):
    """The items of one tab, as a lazy sequence: only the items accessed are built."""

    def __init__(
        self,
        list_view: ListView,
        image_locator: ImageLocator,
        threshold: float | None,
        has_threshold_position: bool,
    ) -> None:
        self.list_view = list_view
        self.threshold = threshold
        self.image_locator = image_locator
        self._has_threshold_position = has_threshold_position

    def __repr__(self) -> str:
        return f"<{len(self):,} items of the tab {self.list_view.tab}>"

    def _repr_html_(self) -> str | None:
        return render_html(self)

    @property
    def threshold_position(self) -> int | None:
        """In the tab All with one threshold, the index of the first item below it (in reverse: the
        first at or above it); otherwise None."""
        return self.list_view.threshold_position if self._has_threshold_position else None

    def page(self, offset: int, limit: int) -> list[Item]:
        return gallery_items(self.list_view, offset, limit)

    def __len__(self) -> int:
        return self.list_view.total

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            positions = range(len(self))[index]
            if positions.step == 1:
                return self.page(positions.start, len(positions))
            return [self.page(position, 1)[0] for position in positions]
        position = range(len(self))[index]
        return self.page(position, 1)[0]

    def __iter__(self) -> Iterator[Item]:
        for offset in range(0, len(self), BATCH_SIZE):
            yield from self.page(offset, BATCH_SIZE)

    def to_arrow(self) -> Any:
        """All items as a pyarrow.Table. Raises MissingDependencyError if pyarrow is not
        installed."""
        try:
            import pyarrow
        except ImportError as error:
            raise MissingDependencyError("pyarrow", "An Arrow table", "arrow") from error
        return pyarrow.Table.from_pylist([asdict(item) for item in self])
