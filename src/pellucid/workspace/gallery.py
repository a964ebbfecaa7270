"""A tab as a sequence of items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, overload

from pellucid.errors import PyArrowMissingError
from pellucid.understand.items import Item, items
from pellucid.understand.shown import Shown
from pellucid.workspace.notebook import gallery_html
from pellucid.workspace.whereabouts import Whereabouts

BATCH = 1_000


class Gallery(Sequence[Item]):
    """The items of one tab, in its order. Length, slices and iteration; a slice costs the slice."""

    def __init__(self, selection: Shown, whereabouts: Whereabouts, threshold: float | None, jumps: bool) -> None:
        self.selection = selection
        self.threshold = threshold
        self.whereabouts = whereabouts
        self._jumps = jumps

    def __repr__(self) -> str:
        return f"<{len(self):,} items of the tab {self.selection.tab}>"

    def _repr_html_(self) -> str:
        return gallery_html(self)

    @property
    def threshold_position(self) -> int | None:
        """In the tab All of one threshold, where the first item under it stands (in reverse: the first at or
        over it); else None."""
        return self.selection.threshold_position if self._jumps else None

    def page(self, offset: int, limit: int) -> list[Item]:
        return items(self.selection, offset, limit)

    def __len__(self) -> int:
        return self.selection.total

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            places = range(len(self))[index]
            if places.step == 1:
                return self.page(places.start, len(places))
            return [self.page(place, 1)[0] for place in places]
        place = range(len(self))[index]
        return self.page(place, 1)[0]

    def __iter__(self) -> Iterator[Item]:
        for offset in range(0, len(self), BATCH):
            yield from self.page(offset, BATCH)

    def to_arrow(self) -> Any:
        """All items as a pyarrow.Table; raises ArrowMissing without pyarrow."""
        try:
            import pyarrow
        except ImportError as error:
            raise PyArrowMissingError from error
        return pyarrow.Table.from_pylist([asdict(item) for item in self])
