"""Which way of reading a file is right, decided by looking at the data.

The format's own way is taken unless it fails, or boxes bear witness to another: clearly more of the most confident ones then overlap
an annotation. Where two readings are close, nothing is taken: the user is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.errors import InvalidChoiceError
from pellucid.core.tables import (
    Annotations,
    BoolArray,
    Float64Array,
    Images,
    Int64Array,
    Predictions,
)
from pellucid.evaluation.greedy_numpy import overlapping_pairs
from pellucid.formats.dataset import Inference, Note, ParsedPredictions
from pellucid.ingest.box_formats import (
    BoxForm,
    form_named,
    in_pixels,
    of_images,
    possible_forms,
    shares_of,
)
from pellucid.ingest.errors import AmbiguousInterpretationError
from pellucid.ingest.references import (
    Reading,
    concept_readings,
    image_readings,
    is_plain,
    most_explaining,
    plain_concepts,
)
from pellucid.storage.manifests import Concept

WITNESSES = 5_000
"""How many of the most confident boxes are asked which reading is right."""
MORE, MUCH_MORE = 1.1, 3.0
"""How many times as many boxes must agree with another reading: one that explains every key where the plain one does
not needs less (of COCO's 80 concepts numbered from 1, eleven keep their ids), one that explains as much needs more."""
FEW = 1.5
"""How many more boxes must agree with a reading that alone explains every id."""
ENOUGH = 20
"""How many are needed to overrule the plain reading where that explains as much."""


@dataclass(frozen=True)
class Forced:
    """Readings that the user settled: boxes: the name of a box form · image_ids, concept_ids: the name of a reading · scores: `percent`
    or `logits`."""

    boxes: str | None = None
    image_ids: str | None = None
    concept_ids: str | None = None
    scores: str | None = None


@dataclass(frozen=True, eq=False)
class References:
    """How a file is read: its images and concepts, and the file itself, with its boxes as they are meant."""

    source: ParsedPredictions
    image: Reading
    concept: Reading
    notes: list[Note]
    judgements: list[Inference]


def read_references(
    source: ParsedPredictions, images: Images, candidates: BoolArray, concepts: Sequence[Concept], annotations: Annotations, forced: Forced
) -> References:
    """Choose how images and concepts are named and boxes are meant; where boxes clearly contradict the plain reading, they win.

    Raises AmbiguousInterpretationError where two readings are close, naming both and the option that picks one.
    """
    image_ways = image_readings(source, images, candidates)
    own = next(image_ways)
    ways = [own] if is_plain(own) and not forced.image_ids else [own, *image_ways]
    image = own if is_plain(own) else most_explaining(ways)
    if forced.image_ids:
        image = picked(source.path, "--image-ids", forced.image_ids, ways)
    notes = [] if image is own else [Note("reading", f"images known by their {image.name}", 1, "info")]
    judgements = [Inference("image ids", image.name, explains(image), [], bool(forced.image_ids))]
    source, judged = read_boxes(source, image, images, annotations, forced)
    judgements += judged
    notes += [Note("reading", one.evidence, 1, "info") for one in judged if one.alternatives or one.forced]
    concept_ways = concept_readings(source, concepts)
    concept = most_explaining(concept_ways) if source.concept_interpretation == "column" else plain_concepts(concept_ways)
    if forced.concept_ids:
        concept = picked(source.path, "--category-ids", forced.concept_ids, concept_ways)
    if source.box is None or (source.unit != "pixels" and not images.width.any()):
        return References(source, image, concept, notes, [*judgements, Inference("category ids", concept.name, explains(concept))])
    rows = most_confident(source.score)
    share = agreement(source, rows, image, concept, annotations, len(concepts), images)
    if not forced.image_ids and share * MUCH_MORE <= 1:  # else no other could be much better
        for other in rivals(image, [*ways, *image_ways]):
            other_share = agreement(source, rows, other, concept, annotations, len(concepts), images)
            if len(rows) >= ENOUGH and clearly(other_share, share, MUCH_MORE):
                notes = [contradiction("image ids", other, image, other_share, share)]
                judgements[0] = Inference("image ids", other.name, notes[0].message, [f"{image.name}: {share:.0%} agree"])
                image, share = other, other_share
    taken = Inference("category ids", concept.name, f"{share:.0%} of confident boxes agree", [], bool(forced.concept_ids))
    for other in rivals(concept, concept_ways) if not forced.concept_ids else ():
        other_share = agreement(source, rows, image, other, annotations, len(concepts), images)
        complete = concept.explained < other.explained == len(other.place)
        witnesses = (other_share - share) * len(rows)
        if clearly(other_share, share, MORE if complete else MUCH_MORE) and (not complete or witnesses >= FEW):
            if not complete and len(rows) < ENOUGH:
                notes.append(contradiction("category ids", concept, other, share, other_share))
                continue
            notes.append(contradiction("category ids", other, concept, other_share, share))
            taken = Inference("category ids", other.name, notes[-1].message, [f"{concept.name}: {share:.0%} agree"])
            concept, share = other, other_share
    overlapping = agreement(source, rows, image, anything(concept), annotations.replace(concept=annotations.concept * 0), 1, images)
    if overlapping >= 0.1 and share * MUCH_MORE < overlapping:
        text = (
            f"{overlapping:.0%} of confident boxes overlap an annotation, but only {share:.0%} one of the same concept: "
            f"are the concepts numbered as here ({taken.answer})?"
        )
        notes.append(Note("concepts_disagree", text, 1))
    return References(source, image, concept, notes, [*judgements, taken])


def anything(concept: Reading) -> Reading:
    """Every concept that was found taken for one and the same."""
    return Reading("any", np.where(concept.place >= 0, 0, concept.place).astype(np.int32))


def explains(reading: Reading) -> str:
    return f"explains {reading.explained:,} of {len(reading.place):,}"


def picked(path: str, option: str, name: str, ways: Sequence[Reading]) -> Reading:
    """The reading that the user named."""
    found = next((way for way in ways if way.name.replace(" ", "-") == name.replace(" ", "-")), None)
    if found is None:
        raise InvalidChoiceError(option, name, [way.name.replace(" ", "-") for way in ways])
    return found


def read_boxes(
    source: ParsedPredictions, image: Reading, images: Images, annotations: Annotations, forced: Forced
) -> tuple[ParsedPredictions, list[Inference]]:
    """The source with its boxes as they are meant: as the format has them, unless much more of them agree when read otherwise."""
    if source.box is None:
        return source, []
    if forced.boxes:
        chosen, form = boxes_named(source, forced.boxes)
        judgement = Inference("boxes", forced.boxes, f"boxes read as {forced.boxes}, as asked", [], True)
        return replace(meant_as(form, chosen, image, images), alternative=None), [judgement]
    own = own_form(source)
    versions = [source] + ([source.alternative] if source.alternative else [])
    shares = {
        (place, form): share for place, one in enumerate(versions) for form, share in forms_of(one, image, images, annotations).items()
    }
    plain = shares.get((0, own), 0.0)
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    if not ranked:
        return source, []
    (place, form), best = ranked[0]
    as_written = Inference("boxes", own.name, f"{plain:.0%} of confident boxes overlap an annotation")
    if not (best >= needed(form) and (best >= plain * MUCH_MORE or best - plain >= MUCH)):
        if plain < 0.05:
            text = f"only {plain:.0%} of confident boxes overlap an annotation, and hardly more however they are read"
            source.notes.append(Note("boxes_disagree", text, 1))
        return source, [as_written]
    if len(source.score) < ENOUGH:
        text = (
            f"too few boxes to tell how they are meant: {plain:.0%} overlap an annotation as {own.name}, {best:.0%} as {form.name} "
            f"(--boxes {form.name})"
        )
        source.notes.append(Note("boxes_unsure", text, 1))
        return source, [as_written]
    others = [(name(where, other), share) for (where, other), share in ranked[1:4]]
    if len(ranked) > 1 and ranked[1][1] >= CLOSE * best:
        raise AmbiguousInterpretationError(source.path, "boxes", [(name(place, form), best), *others[:1]], "--boxes")
    text = f"boxes read as {name(place, form)}: {best:.0%} of confident boxes overlap an annotation, {plain:.0%} as {own.name}"
    return replace(meant_as(form, versions[place], image, images), alternative=None), [
        Inference("boxes", name(place, form), text, [f"{word}: {share:.0%} agree" for word, share in others])
    ]


MUCH = 0.3
"""A share by which another form may be better, where it is not three times as good: large boxes overlap however they are read."""


def needed(form: BoxForm) -> float:
    """The share that must agree: a square that nobody spoke of needs more than the usual forms."""
    return 0.1 if form.unit in ("pixels", "fractions", "percent") else 0.3


FORM_WITNESSES = 1_000
"""How many of the most confident boxes are asked in which form they are: there are many forms."""
SOME_FORMS = ("xywh-pixels", "xyxy-pixels", "cxcywh-fractions", "xywh-percent", "xyxy-640-letterboxed")
CLOSE = 0.9
"""Two readings that differ by less are too close to choose between."""


SECOND = "-confidence-second"
"""Ends the name of a form in which the file's columns stand in their other order."""


def name(place: int, form: BoxForm) -> str:
    return form.name if place == 0 else form.name + SECOND


def boxes_named(source: ParsedPredictions, words: str) -> tuple[ParsedPredictions, BoxForm]:
    """The form that the user named, and the file with its columns in the order that goes with it."""
    form = form_named(words.removesuffix(SECOND))
    chosen = source.alternative if words.endswith(SECOND) else source
    if form is None or chosen is None:
        raise InvalidChoiceError("--boxes", words, [*SOME_FORMS, *([f"xywh-pixels{SECOND}"] if source.alternative else [])])
    return chosen, form


def own_form(source: ParsedPredictions) -> BoxForm:
    """As the format has its boxes."""
    return BoxForm(source.box_shape, source.unit)


def forms_of(source: ParsedPredictions, image: Reading, images: Images, annotations: Annotations) -> dict[BoxForm, float]:
    """How much of the most confident boxes agrees in each form; the source's own comes first."""
    rows = most_confident(source.score)[:FORM_WITNESSES]
    rows = rows[image.place[source.image[rows]] >= 0]
    if not len(rows) or source.box is None or not len(annotations):
        return {}
    place = image.place[source.image[rows]]
    sizes_known = bool((images.width[place] > 0).all())
    own, raw = own_form(source), as_written(source, source.box[rows])
    forms = [own] if sizes_known or not own.needs_sizes else []
    forms += [form for form in possible_forms(raw, sizes_known) if form != own]
    return shares_of(forms, raw, place, images, annotations)


def as_written(source: ParsedPredictions, box: Float64Array) -> Float64Array:
    """The four numbers as they stand in the file. box: [left, top, width, height]."""
    if source.box_shape == "xywh":
        return box
    return np.stack([box[:, 0] + box[:, 2] / 2, box[:, 1] + box[:, 3] / 2, box[:, 2], box[:, 3]], axis=1)


def meant_as(form: BoxForm, source: ParsedPredictions, image: Reading, images: Images) -> ParsedPredictions:
    """The same with its boxes in pixels, read in that form; of pictures that are unknown nothing is changed."""
    if form == own_form(source):
        return source
    assert source.box is not None
    place = image.place[source.image]
    box = in_pixels(form, as_written(source, source.box), images.width[place], images.height[place])
    box[place < 0] = source.box[place < 0]
    box[:, 2:] = np.maximum(box[:, 2:], 0)
    return replace(source, box=box, unit="pixels", box_shape="xywh")


def most_confident(score: Float64Array) -> Int64Array:
    """Rows of the highest scores, best first; of equal ones, those listed first."""
    if len(score) > WITNESSES:
        least = np.partition(score, len(score) - WITNESSES)[len(score) - WITNESSES]
        rows = np.flatnonzero(score >= least)
    else:
        rows = np.arange(len(score))
    return rows[np.argsort(-score[rows], kind="stable")][:WITNESSES]


def rivals(chosen: Reading, ways: Sequence[Reading]) -> list[Reading]:
    """Other readings that explain at least half as much, differently."""
    return [
        other for other in ways
        if other.explained and other.explained * 2 >= chosen.explained and (other.place != chosen.place).any()
    ]  # fmt: skip


def clearly(share: float, otherwise: float, times: float) -> bool:
    return share >= 0.1 and share >= times * otherwise


def contradiction(what: str, taken: Reading, left: Reading, share: float, otherwise: float) -> Note:
    text = f"{what} read as {taken.name}: {share:.0%} of confident boxes agree with an annotation, {otherwise:.0%} when read as {left.name}"
    return Note("reading", text, 1, "info" if share >= otherwise else "warning")


def agreement(
    source: ParsedPredictions, rows: Int64Array, image: Reading, concept: Reading, annotations: Annotations, concepts: int, images: Images
) -> float:  # fmt: skip
    """The share of these rows, by descending score, whose box overlaps an annotation (IoU >= 0.5)."""
    places, names = image.place[source.image[rows]], concept.place[source.concept[rows]]
    kept = (places >= 0) & (names >= 0)
    assert source.box is not None
    box = source.box[rows][kept]
    if source.unit == "fractions":
        box = in_pixels(BoxForm("xywh", "fractions"), box, images.width[places[kept]], images.height[places[kept]])
    boxes = Predictions(places[kept], names[kept], source.score[rows][kept], box, rows[kept].astype(np.int32))
    near = of_images(annotations, boxes.image)
    agreeing: set[int] = set()
    for prediction, _, iou in overlapping_pairs(near, boxes, concepts):
        agreeing.update(prediction[iou >= 0.5].tolist())
    return len(agreeing) / max(1, len(rows))
