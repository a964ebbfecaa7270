"""Two versions compared, as a document for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from pellucid.columns import NOT_RUN, SPLITS, Split
from pellucid.understand.comparing import BOTH_RIGHT, BROKEN, FIXED, STILL_WRONG, Comparison, annotated_rows, compare, exact_mcnemar
from pellucid.workspace.loaded import Loaded
from pellucid.workspace.sliced import matching

SIGNIFICANT = 0.05
"""Below this a difference is taken for more than chance: what `--fail-on-regression` fails at. Over concepts it is the share of false
discoveries that is put up with (Benjamini, Hochberg, 1995), as looking at eighty concepts finds four by chance alone."""


@dataclass(frozen=True)
class Changed:
    """What became of the annotations of a concept (None: of all). compared: how many there are · false_alarms: that only one version
    has · p_value: of as many fixed as broken but for chance, exact McNemar."""

    concept: str | None
    compared: int
    fixed: int
    broken: int
    still_wrong: int
    both_right: int
    false_alarms_gone: int
    false_alarms_new: int
    p_value: float
    regression: bool = False
    """More broken than fixed, or more false alarms come than gone, by more than chance."""


@dataclass(frozen=True)
class Compared:
    """a, b: names of the versions · images: that both froze and both were run on · overall, concepts: what changed · warnings: what
    makes the two hard to compare."""

    a: str
    b: str
    split: Split
    images: int
    overall: Changed
    concepts: list[Changed]
    warnings: list[str]

    @property
    def regressions(self) -> list[Changed]:
        """Where the second version is worse than chance would have it: over all concepts, or of one."""
        return [one for one in (self.overall, *self.concepts) if one.regression]

    @property
    def document(self) -> dict[str, Any]:
        overall = {name: value for name, value in asdict(self.overall).items() if name not in ("concept", "regression")}
        return {
            "a": self.a, "b": self.b, "split": self.split, "images": self.images, **overall,
            "concepts": [asdict(one) for one in self.concepts], "regression": bool(self.regressions), "warnings": self.warnings,
        }  # fmt: skip


def verdict(one: Changed) -> str:
    """What changed by more than chance, in words that end a sentence."""
    found = one.p_value < SIGNIFICANT and one.fixed != one.broken
    alarms = exact_mcnemar(one.false_alarms_gone, one.false_alarms_new) < SIGNIFICANT and one.false_alarms_gone != one.false_alarms_new
    said = []
    if found:
        said.append("finds more" if one.fixed > one.broken else "finds less")
    if alarms:
        said.append("raises fewer false alarms" if one.false_alarms_gone > one.false_alarms_new else "raises more false alarms")
    mixed = found and alarms and (one.fixed > one.broken) != (one.false_alarms_gone > one.false_alarms_new)
    return (" but " if mixed else " and ").join(said) + ", by more than chance" if said else "differs by no more than chance"


def chances(one: Changed) -> tuple[float, float]:
    """How likely so much worse is by chance: of annotations, and of false alarms; 1 where it is no worse."""
    alarms = exact_mcnemar(one.false_alarms_gone, one.false_alarms_new)
    return (one.p_value if one.broken > one.fixed else 1.0), (alarms if one.false_alarms_new > one.false_alarms_gone else 1.0)


def judged(several: list[Changed]) -> list[Changed]:
    """With those marked that are worse, of several that were looked at together (Benjamini and Hochberg's step-up)."""
    ranked = sorted(value for one in several for value in chances(one))
    good = [value for place, value in enumerate(ranked, 1) if value <= SIGNIFICANT * place / len(ranked)]
    limit = max(good, default=-1.0)
    return [replace(one, regression=min(chances(one)) <= limit) for one in several]


def compared(name_a: str, a: Loaded, name_b: str, b: Loaded, split: Split) -> Compared:
    place = SPLITS.index(split)
    found = compare(a.evaluation, b.evaluation, place, a.evaluation.optimal, b.evaluation.optimal)
    concepts = [changed(found, position, a.evaluation.concepts[position]) for position in found.concepts.tolist()]
    overall = judged([changed(found, None, None)])[0]
    return Compared(name_a, name_b, split, found.images, overall, judged(concepts), warnings(found, a, b, place))


def changed(found: Comparison, position: int | None, name: str | None) -> Changed:
    outcome = found.units.outcome if position is None else found.units.outcome[found.units.concept == position]
    number = {kind: int((outcome == kind).sum()) for kind in (FIXED, BROKEN, STILL_WRONG, BOTH_RIGHT)}
    gone, new = (int(len(one.rows) if position is None else (one.concept == position).sum()) for one in (found.gone, found.new))
    return Changed(
        name, len(outcome), number[FIXED], number[BROKEN], number[STILL_WRONG], number[BOTH_RIGHT], gone, new,
        exact_mcnemar(number[FIXED], number[BROKEN]),
    )  # fmt: skip


def warnings(found: Comparison, a: Loaded, b: Loaded, split: int) -> list[str]:
    said = []
    for one, name in ((a, "first"), (b, "second")):
        evaluation = one.evaluation
        run = (evaluation.images.split == split) & (evaluation.coverage != NOT_RUN)
        if number := int(run.sum()) - found.images:
            said.append(f"{number:,} images that the {name} version was run on are not in the other: left out")
        if number := int((evaluation.images.split == split).sum() - run.sum()):
            said.append(f"the {name} version was not run on {number:,} of its images")
    if found.unlike:
        said.append(f"{found.unlike:,} annotations differ between the two frozen sets: left out")
    if odd := sorted(set(a.evaluation.concepts) ^ set(b.evaluation.concepts)):
        said.append(f"concepts of one version alone are left out: {', '.join(odd)}")
    if a.evaluation.iou_threshold != b.evaluation.iou_threshold:
        said.append(f"the versions match at other IoUs: {a.evaluation.iou_threshold:g} and {b.evaluation.iou_threshold:g}")
    return said


@dataclass(frozen=True)
class SliceChange:
    """What became of the annotations of a slice of either version (`of`). items: compared · errors_a, errors_b: missed by each ·
    only: what narrows a tab down to it, of the concept (None: of all)."""

    sentence: str
    of: str
    items: int
    errors_a: int
    errors_b: int
    fixed: int
    broken: int
    p_value: float
    concept: str | None
    only: list[str]


def by_slice(name_a: str, a: Loaded, name_b: str, b: Loaded, split: Split) -> list[SliceChange]:
    """Where either version misses more than elsewhere, and how both do there; in the order of what they explain. Reads the pictures."""
    place = SPLITS.index(split)
    found = compare(a.evaluation, b.evaluation, place, a.evaluation.optimal, b.evaluation.optimal)
    said: dict[str, SliceChange] = {}
    for second, (name, one) in enumerate(((name_a, a), (name_b, b))):
        rows = annotated_rows(found, a.evaluation, one.evaluation, bool(second))
        there = np.flatnonzero(rows >= 0)
        outcome, rows, seen = found.units.outcome[there], rows[there], one.appearance(place)
        concept = one.evaluation.annotations.concept[rows]
        for part in one.slices(place, seen):
            if part.error != "extra" or part.explained <= 0 or any(condition.name == "group" for condition in part.conditions):
                continue  # groups are numbered anew in each version
            inside = matching(one.evaluation, rows, True, seen, part.conditions)
            if part.concept is not None:
                inside &= concept == one.evaluation.concepts.index(part.concept)
            number = {kind: int((outcome[inside] == kind).sum()) for kind in (FIXED, BROKEN, STILL_WRONG)}
            where = f"{part.concept or 'all concepts'}: {part.where}"
            said.setdefault(where, SliceChange(
                where, name, int(inside.sum()), number[FIXED] + number[STILL_WRONG], number[BROKEN] + number[STILL_WRONG], number[FIXED],
                number[BROKEN], exact_mcnemar(number[FIXED], number[BROKEN]), part.concept, list(part.only),
            ))  # fmt: skip
    return list(said.values())


HEADINGS = ("compared", "fixed", "broken", "still_wrong", "both_right", "false_alarms_gone", "false_alarms_new")


def in_markdown(found: Compared) -> str:
    """For a comment under a change: a sentence, and a table of what changed, worst first."""
    overall = found.overall
    head = (
        f"**{found.b}** against **{found.a}** on {found.split}: {verdict(overall)}; {overall.fixed:,} fixed, {overall.broken:,} broken "
        f"(p = {overall.p_value:.2g}), {overall.false_alarms_gone:,} false alarms gone, {overall.false_alarms_new:,} new; "
        f"{found.images:,} images."
    )
    ranked = sorted(found.concepts, key=lambda one: (one.fixed - one.broken + one.false_alarms_gone - one.false_alarms_new, one.concept))
    headings = ["concept", *(name.replace("_", " ") for name in HEADINGS), "p", ""]
    lines = [headings, ["---"] * len(headings), *(cells(one) for one in (overall, *ranked))]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([head, table, *(f"Note: {words}." for words in found.warnings)]) + "\n"


def cells(one: Changed) -> list[str]:
    name = (one.concept or "all").replace("|", "\\|")
    return [name, *(f"{getattr(one, heading):,}" for heading in HEADINGS), f"{one.p_value:.2g}", "worse" if one.regression else ""]


def in_junit(found: Compared) -> str:
    """A test case a concept, and one for all; a regression is a failure."""
    cases = [found.overall, *found.concepts]
    title = f"{found.b} against {found.a} on {found.split}"
    suite = Element("testsuite", name=title, tests=str(len(cases)), failures=str(len(found.regressions)))
    for one in cases:
        case = SubElement(suite, "testcase", classname="pellucid.compare", name=one.concept or "all concepts")
        if one.regression:
            words = f"{one.broken} broken, {one.fixed} fixed; false alarms: {one.false_alarms_new} new, {one.false_alarms_gone} gone"
            SubElement(case, "failure", message=words).text = words
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
