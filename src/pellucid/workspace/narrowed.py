"""A tab narrowed down to the items behind a mark: a cause, a cell of a matrix, a slice, a stretch of scores, what a version fixed.

Each clause is a word and a value, so that an address or a command line can hold it:

`cause:background` · `score:0.2..0.4`, of predictions; in Extra of images, the image's own · `answered:0.2..0.4`, annotations by the score
of the prediction that matches them · `right:yes`, `right:no`, predictions that match, that do not; `counts:yes`, either ·
`predicted:CONCEPT`, extra ones by what was predicted in their place; `annotated:CONCEPT`, missing ones; none where nothing follows ·
`where:PROPERTY=LOW..HIGH`, `where:PROPERTY=VALUE` · `like:p12`, `like:a12`, what looks most like that row of the predictions, of the
annotations · `versus:VERSION=CHANGE`, what changed between two versions: fixed and alarm_gone of this one as the older; broken,
alarm_new, still_wrong and both_right of this one as the newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.columns import Flags, Floats, Longs
from pellucid.errors import FilterError
from pellucid.understand.causes import CAUSES, causes_of_extra, causes_of_missing
from pellucid.understand.comparing import BOTH_RIGHT, BROKEN, FIXED, STILL_WRONG, Comparison, annotated_rows, compare
from pellucid.understand.confusion import crossed
from pellucid.understand.evaluation import Evaluation
from pellucid.understand.extra import own_score
from pellucid.understand.gallery import Selection
from pellucid.understand.outcomes import MATCHED, WRONG
from pellucid.understand.properties import Condition, condition
from pellucid.understand.shown import in_order
from pellucid.workspace.loaded import Loaded
from pellucid.workspace.sliced import matching, of_pixels

if TYPE_CHECKING:
    from pellucid.workspace.version import Version

ALIKE = 60
"""Items shown that are most like one."""
WORDS = ("cause", "score", "answered", "right", "counts", "predicted", "annotated", "where", "like", "versus")
CHANGES = {"fixed": FIXED, "broken": BROKEN, "still_wrong": STILL_WRONG, "both_right": BOTH_RIGHT}
ALARMS = ("alarm_gone", "alarm_new")
YES_OR_NO = ("yes", "no")


def narrowed(version: Version, loaded: Loaded, selection: Selection, only: Sequence[str]) -> Longs:
    """Rows of the items that all clauses hold for, in the tab's order (`like`: most alike first). Raises NarrowingBad."""
    rows = selection.every()
    pairs = [clause(words) for words in only]
    for word, value in pairs:
        if word not in ("where", "like"):
            rows = rows[holds(version, loaded, selection, rows, word, value)]
    if wanted := [as_condition(value) for word, value in pairs if word == "where"]:
        seen = loaded.appearance(selection.split) if any(of_pixels(one.name) for one in wanted) else None
        rows = rows[matching(loaded.evaluation, rows, selection.shows_annotations, seen, wanted)]
    rows = in_order(selection, rows)
    for word, value in pairs:
        if word == "like":
            rows = alike(loaded, selection, rows, value)
    return rows


def versions_in(only: Sequence[str]) -> list[str]:
    """The other versions that clauses speak of."""
    return [value.rpartition("=")[0] for word, value in map(clause, only) if word == "versus"]


def clause(words: str) -> tuple[str, str]:
    word, colon, value = words.partition(":")
    if word not in WORDS or not colon:
        raise FilterError(words, f"WORD:VALUE with one of the words {', '.join(WORDS)}")
    return word, value


def holds(version: Version, loaded: Loaded, selection: Selection, rows: Longs, word: str, value: str) -> Flags:
    evaluation, annotations = loaded.evaluation, selection.shows_annotations
    if word == "cause":
        return of_cause(selection, rows, value)
    if word == "score":
        score = evaluation.predictions.score[rows] if not annotations else own_score(evaluation, rows)
        return between(score, value, word)
    if word == "answered":
        return between(evaluation.answer_score[rows], value, word) if annotations else np.zeros(len(rows), bool)
    if word in ("right", "counts"):
        if value not in (YES_OR_NO if word == "right" else YES_OR_NO[:1]):
            raise FilterError(f"{word}:{value}", "right:yes, right:no or counts:yes")
        state = evaluation.state[rows] if not annotations else np.full(len(rows), WRONG)
        return np.asarray(state == (MATCHED if value == "yes" else WRONG) if word == "right" else (state == MATCHED) | (state == WRONG))
    if word in ("predicted", "annotated"):
        return of_pair(selection, rows, word, value)
    return of_version(version, loaded, selection, rows, value)


def between(score: Floats, value: str, word: str) -> Flags:
    """`LOW..HIGH`, the upper end not included; either may be left out."""
    low, dots, high = value.partition("..")
    try:
        ends = float(low or "-inf"), float(high or "inf")
    except ValueError:
        dots = ""
    if not dots:
        raise FilterError(f"{word}:{value}", f"{word}:LOW..HIGH, such as {word}:0.2..0.4")
    return np.asarray((score >= ends[0]) & (score < ends[1]))


def of_cause(selection: Selection, rows: Longs, value: str) -> Flags:
    if value not in CAUSES:
        raise FilterError(f"cause:{value}", f"one of the causes {', '.join(CAUSES)}")
    causes = {"extra": causes_of_extra, "missing": causes_of_missing}.get(selection.tab)
    if causes is None:
        return np.zeros(len(rows), bool)
    return np.asarray(causes(selection.evaluation, rows, selection.thresholds) == CAUSES.index(value))


def of_pair(selection: Selection, rows: Longs, word: str, value: str) -> Flags:
    """Of a cell of the confusion matrix: which are paired with that concept, or with none."""
    evaluation = selection.evaluation
    if value and value not in evaluation.concepts:
        raise FilterError(f"{word}:{value}", "a concept of the version, or nothing")
    place = evaluation.concepts.index(value) if value else len(evaluation.concepts)
    if selection.tab != ("extra" if word == "predicted" else "missing"):
        return np.zeros(len(rows), bool)
    extra, missing = (Selection(evaluation, tab, selection.split, None, selection.thresholds).every() for tab in ("extra", "missing"))
    instead, truly = crossed(evaluation, extra, missing)
    everything, found = (extra, instead) if word == "predicted" else (missing, truly)
    return np.isin(rows, everything[found == place])


def as_condition(value: str) -> Condition:
    try:
        return condition(value)
    except ValueError as error:
        raise FilterError(f"where:{value}", "where:PROPERTY=LOW..HIGH or where:PROPERTY=VALUE") from error


def alike(loaded: Loaded, selection: Selection, rows: Longs, value: str) -> Longs:
    evaluation = loaded.evaluation
    side, number = value[:1], value[1:]
    table: Any = {"a": evaluation.annotations, "p": evaluation.predictions}.get(side)
    if table is None or not number.isdecimal() or len(number) > 18 or int(number) >= len(table):
        raise FilterError(f"like:{value}", "like:p12 or like:a12, a row of the predictions or annotations")
    row = np.array([int(number)])
    split = int(evaluation.images.split[table.image[row]][0])
    boxes = evaluation.kind == "detection"
    seen = loaded.appearance(split)
    line, _ = seen.looked.places(row, np.asarray(table.image[row], np.int64), side == "a", boxes)
    if line[0] < 0 or split != selection.split:
        return rows[:0]
    own: Any = evaluation.annotations if selection.shows_annotations else evaluation.predictions
    lines, _ = seen.looked.places(rows, np.asarray(own.image[rows], np.int64), selection.shows_annotations, boxes)
    return np.asarray(rows[seen.like(int(line[0]), lines, ALIKE)])


def of_version(version: Version, loaded: Loaded, selection: Selection, rows: Longs, value: str) -> Flags:
    """What changed between this version and another; which of them is the older follows from the change asked for."""
    name, sign, change = value.rpartition("=")
    if not sign or change not in (*CHANGES, *ALARMS):
        raise FilterError(f"versus:{value}", f"versus:VERSION=CHANGE with one of {', '.join((*CHANGES, *ALARMS))}")
    other = version.other(name, loaded).evaluation
    ours, theirs = (loaded.evaluation, selection.thresholds), (other, other.optimal)
    newer = change not in ("fixed", "alarm_gone")
    older_first = (theirs, ours) if newer else (ours, theirs)
    found = compare(older_first[0][0], older_first[1][0], selection.split, older_first[0][1], older_first[1][1])
    if change in ALARMS:
        alarms = found.new if change == "alarm_new" else found.gone
        return np.isin(rows, alarms.rows) if not selection.shows_annotations else np.zeros(len(rows), bool)
    return np.isin(rows, changed_rows(found, CHANGES[change], older_first[0][0], selection, newer))


def changed_rows(found: Comparison, outcome: int, first: Evaluation, selection: Selection, newer: bool) -> Longs:
    """The rows, of annotations in the tab Extra and else of predictions, of the units that ended so."""
    evaluation = selection.evaluation
    rows = annotated_rows(found, first, evaluation, newer)[found.units.outcome == outcome]
    rows = rows[rows >= 0]
    return rows if selection.shows_annotations else np.asarray(evaluation.answer[rows], np.int64)
