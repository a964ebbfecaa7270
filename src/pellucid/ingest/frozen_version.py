"""What an import of predictions needs to know of a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.core.tables import Annotations, Images, Int8Array, Kind
from pellucid.storage.manifests import Concept


@dataclass(frozen=True, eq=False)
class FrozenVersion:
    """The frozen data of a version that an import needs.

    Attributes:
        has_rotated_images: whether some images have an EXIF rotation
        unannotated: the last of the concepts, which only predictions name
        left_out: concepts that were left out of the annotations on purpose
    """

    name: str
    kind: Kind
    concepts: list[Concept]
    folders: list[str]
    images: Images
    coverage: Int8Array
    annotations: Annotations
    has_rotated_images: bool = False
    unannotated: Sequence[str] = ()
    left_out: Sequence[Concept] = ()

    @property
    def annotated_concepts(self) -> list[Concept]:
        """The concepts without those that only predictions name."""
        return self.concepts[: len(self.concepts) - len(self.unannotated)]
