"""Visual similarity of a split's items: features (the user's embeddings or image descriptors),
clusters and a 2-D map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.analysis.clustering import cluster_features, map_layout, nearest_rows
from pellucid.analysis.slice_features import Property
from pellucid.browse.items import Outcome
from pellucid.browse.selection import TabSelection
from pellucid.core.tables import BoolArray, Float32Array, Float64Array, Int64Array
from pellucid.evaluation.evaluation import Evaluation
from pellucid.results.embeddings import Embeddings
from pellucid.results.image_stats import ImageStats, take_lines


class Appearance:
    """Lines are those of ImageStats: images, then annotation boxes, then prediction boxes."""

    def __init__(
        self, evaluation: Evaluation, image_stats: ImageStats, embeddings: Embeddings | None
    ) -> None:
        self.image_stats = image_stats
        self._evaluation = evaluation
        self._embeddings = embeddings

    @property
    def feature_source(self) -> str:
        """The source of the features."""
        return "embeddings" if self._embeddings is not None else "colours and edges"

    @cached_property
    def features(self) -> Float64Array:
        if self._embeddings is None:
            return np.asarray(self.image_stats.descriptors, np.float32)
        items, evaluation = self.image_stats.items, self._evaluation
        image_paths = evaluation.images.path
        feature_blocks = [self._embeddings.picture_vectors(image_paths[items.images])]
        for box_rows, item_table in (
            (items.annotations, evaluation.annotations),
            (items.predictions, evaluation.predictions),
        ):
            if len(box_rows):
                assert item_table.box is not None
                feature_blocks.append(
                    self._embeddings.box_vectors(
                        image_paths[item_table.image[box_rows]], item_table.box[box_rows]
                    )
                )
        return np.concatenate(feature_blocks)

    @cached_property
    def _map_lines(self) -> slice:
        """The lines that are clustered and mapped: boxes if there are any, otherwise images."""
        items = self.image_stats.items
        return (
            slice(len(items.images), None)
            if len(items.annotations) + len(items.predictions)
            else slice(0, None)
        )

    @cached_property
    def groups(self) -> Int64Array:
        """The cluster of each line, -1 for none."""
        group_by_line = np.full(len(self.features), -1, np.int64)
        group_by_line[self._map_lines] = cluster_features(self.features[self._map_lines])
        return group_by_line

    @cached_property
    def map_positions(self) -> Float64Array:
        """Map coordinates, float64 (lines, 2); NaN where a line is not on the map."""
        positions = np.full((len(self.features), 2), np.nan)
        positions[self._map_lines] = map_layout(self.features[self._map_lines])
        return positions

    def group_property(
        self, item_rows: Int64Array, image_rows: Int64Array, are_annotations: bool, has_boxes: bool
    ) -> Property:
        item_lines, _ = self.image_stats.find_lines(
            item_rows, image_rows, are_annotations, has_boxes
        )
        group_count = int(self.groups.max(initial=-1)) + 1
        return Property(
            "group",
            take_lines(self.groups, item_lines, -1).astype(np.int64),
            tuple(str(group_index + 1) for group_index in range(group_count)),
        )

    def lines_like_vector(
        self, vector: Float32Array, candidate_lines: Int64Array, count: int
    ) -> Int64Array:
        """Positions in `candidate_lines` (-1: none) of the lines whose embeddings point most in the
        direction of a vector of length 1, most similar first; those without an embedding never."""
        usable = np.flatnonzero(candidate_lines >= 0)
        features = self.features[candidate_lines[usable]]
        with np.errstate(invalid="ignore"):
            cosine = (features @ vector) / np.linalg.norm(features, axis=1)
        order = np.argsort(-cosine, kind="stable")[:count]
        return np.asarray(usable[order[~np.isnan(cosine[order])]])

    def nearest_lines(self, query_line: int, candidate_lines: Int64Array, count: int) -> Int64Array:
        """Positions in `candidate_lines` (-1: none) of the lines most similar to `query_line`,
        most similar first."""
        usable = np.flatnonzero(candidate_lines >= 0)
        features = np.concatenate(
            [self.features[[query_line]], self.features[candidate_lines[usable]]]
        )
        return np.asarray(usable[nearest_rows(features, 0, count + 1)[1:] - 1])


@dataclass(frozen=True, eq=False)
class MapPoints:
    """Points of the map: annotations that can be matched, and unmatched predictions.

    Attributes:
        line: of ImageStats
        row: of the annotations if `is_annotation`, else of the predictions (matched points use the
            prediction's row)
        outcome: `matched`, `extra`, `missing`
    """

    line: Int64Array
    row: Int64Array
    is_annotation: BoolArray
    concept: Int64Array
    image: Int64Array
    outcome: list[Outcome]


def map_points(evaluation: Evaluation, split: int, image_stats: ImageStats) -> MapPoints:
    """At the optimal thresholds; items that were not sampled are left out."""
    has_boxes = evaluation.kind == "detection"
    concept_starts = evaluation.matchable_starts[split]
    annotation_rows = np.asarray(
        evaluation.matchable_annotations[concept_starts[0] : concept_starts[-1]], np.int64
    )
    is_matched = (
        evaluation.matched_score[annotation_rows]
        >= evaluation.optimal_thresholds[evaluation.annotations.concept[annotation_rows]]
    )
    missing_rows = TabSelection(
        evaluation, "missing", split, None, evaluation.optimal_thresholds
    ).all_rows()
    image_rows = [
        np.asarray(evaluation.annotations.image[annotation_rows], np.int64),
        np.asarray(evaluation.predictions.image[missing_rows], np.int64),
    ]
    item_rows = np.where(is_matched, evaluation.matched_by[annotation_rows], annotation_rows)
    annotation_lines = image_stats.find_lines(annotation_rows, image_rows[0], True, has_boxes)[0]
    annotation_lines[is_matched] = image_stats.find_lines(
        item_rows[is_matched].astype(np.int64), image_rows[0][is_matched], False, has_boxes
    )[0]
    point_lines = np.concatenate(
        [annotation_lines, image_stats.find_lines(missing_rows, image_rows[1], False, has_boxes)[0]]
    )
    is_sampled = point_lines >= 0
    point_rows = np.concatenate([item_rows, missing_rows])
    point_concepts = np.concatenate(
        [
            evaluation.annotations.concept[annotation_rows],
            evaluation.predictions.concept[missing_rows],
        ]
    )
    outcomes: list[Outcome] = ["matched" if matched else "extra" for matched in is_matched.tolist()]
    outcomes += ["missing"] * len(missing_rows)
    return MapPoints(
        point_lines[is_sampled],
        np.asarray(point_rows[is_sampled], np.int64),
        np.concatenate([~is_matched, np.zeros(len(missing_rows), bool)])[is_sampled],
        np.asarray(point_concepts[is_sampled], np.int64),
        np.concatenate(image_rows)[is_sampled],
        [outcomes[point_index] for point_index in np.flatnonzero(is_sampled).tolist()],
    )


@dataclass(frozen=True)
class SimilarityGroup:
    """A cluster of similar items.

    Attributes:
        number: from 1
        matched, extra, missing: item counts
        concepts: the most frequent, with counts
        only: the filter that selects it
    """

    number: int
    matched: int
    extra: int
    missing: int
    concepts: list[tuple[str, int]]

    @property
    def only(self) -> str:
        return f"where:group={self.number}"

    @property
    def share(self) -> float:
        """The error rate of its items."""
        return (self.extra + self.missing) / max(1, self.matched + self.extra + self.missing)


CONCEPTS_PER_GROUP = 3


def find_similarity_groups(
    evaluation: Evaluation, split: int, appearance: Appearance
) -> list[SimilarityGroup]:
    """Clusters of similar items, highest error rate first."""
    points = map_points(evaluation, split, appearance.image_stats)
    point_outcomes, similarity_groups = np.array(points.outcome, object), []
    for group_index in range(int(appearance.groups.max(initial=-1)) + 1):
        in_group = appearance.groups[points.line] == group_index
        concept_counts = np.bincount(points.concept[in_group], minlength=len(evaluation.concepts))
        frequent_concepts = np.argsort(-concept_counts, kind="stable")[:CONCEPTS_PER_GROUP].tolist()
        common_concepts = [
            (evaluation.concepts[concept_index], int(concept_counts[concept_index]))
            for concept_index in frequent_concepts
            if concept_counts[concept_index]
        ]
        matched, extra, missing = (
            int((point_outcomes[in_group] == tab).sum()) for tab in ("matched", "extra", "missing")
        )
        similarity_groups.append(
            SimilarityGroup(group_index + 1, matched, extra, missing, common_concepts)
        )
    return sorted(similarity_groups, key=lambda group: -group.share)
