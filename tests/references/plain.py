"""The semantics of views, matching, thresholds and tabs, written from their definition alone.

No NumPy, no sorting tricks: every question is answered by looking at everything. A case holds

images: {path: {"split", "stated" ("none", "closed", "open"), "covered"}}
annotations: [{"image", "concept", "box", "ignore", "positive"}], in input order
predictions: [{"image", "concept", "score", "box"}], in input order
"""

import itertools
import math
from dataclasses import dataclass, field


@dataclass
class Case:
    kind: str
    concepts: list
    images: dict
    annotations: list
    predictions: list
    iou: float = 0.5
    matched: dict = field(default_factory=dict)  # prediction -> annotation
    absorbed: dict = field(default_factory=dict)  # prediction -> ignored region
    ignored: set = field(default_factory=set)
    not_highest: set = field(default_factory=set)


def overlap(predicted, annotated, region=False):
    left, top = max(predicted[0], annotated[0]), max(predicted[1], annotated[1])
    width = min(predicted[0] + predicted[2], annotated[0] + annotated[2]) - left
    height = min(predicted[1] + predicted[3], annotated[1] + annotated[3]) - top
    if width <= 0 or height <= 0:
        return 0.0
    area = predicted[2] * predicted[3]
    union = area if region else area + annotated[2] * annotated[3] - width * height
    return width * height / union if union > 0 else 0.0


def understand(case):
    """Fill in which prediction answers which annotation."""
    {"classification": classify, "tagging": tag, "detection": detect}[case.kind](case)
    return case


def classify(case):
    for path in case.images:
        own = [p for p, one in enumerate(case.predictions) if one["image"] == path]
        best = None
        for p in own:
            if best is None:
                best = p
                continue
            one, other = case.predictions[p], case.predictions[best]
            first = case.concepts.index(one["concept"]) < case.concepts.index(other["concept"])
            if one["score"] > other["score"] or (one["score"] == other["score"] and first):
                best = p
        case.not_highest |= {p for p in own if p != best}
        if best is None:
            continue
        notes = [a for a, note in enumerate(case.annotations) if note["image"] == path]
        if not notes:
            case.ignored.add(best)
        elif case.annotations[notes[0]]["concept"] == case.predictions[best]["concept"]:
            case.matched[best] = notes[0]


def tag(case):
    for p, one in enumerate(case.predictions):
        notes = [
            a
            for a, note in enumerate(case.annotations)
            if (note["image"], note["concept"]) == (one["image"], one["concept"])
        ]
        if notes and case.annotations[notes[0]]["positive"]:
            case.matched[p] = notes[0]
        elif not notes and case.images[one["image"]]["stated"] != "closed":
            case.ignored.add(p)


def detect(case):
    for path in case.images:
        for concept in case.concepts:
            rows = [
                p
                for p, one in enumerate(case.predictions)
                if (one["image"], one["concept"]) == (path, concept)
            ]
            rows.sort(key=lambda p: (-case.predictions[p]["score"], p))
            notes = [
                a
                for a, note in enumerate(case.annotations)
                if (note["image"], note["concept"]) == (path, concept)
            ]
            free = [
                a
                for a in notes
                if case.annotations[a]["positive"] and not case.annotations[a]["ignore"]
            ]
            regions = [a for a in notes if case.annotations[a]["ignore"]]
            for p in rows:
                best = highest(case, p, free, False)
                if best is not None:
                    case.matched[p] = best
                    free.remove(best)
                    continue
                best = highest(case, p, regions, True)
                if best is not None:
                    case.absorbed[p] = best
                    case.ignored.add(p)
                elif not notes and case.images[path]["stated"] != "closed":
                    case.ignored.add(p)


def highest(case, p, notes, region):
    best, most = None, case.iou
    for a in notes:
        value = overlap(case.predictions[p]["box"], case.annotations[a]["box"], region)
        if value >= most:
            best, most = a, value
    return best


def counted(case, p):
    """Takes part in errors: not ignored, and in classification its image's highest."""
    return p not in case.ignored and p not in case.not_highest


def split_of(case, path):
    return case.images[path]["split"]


def answerable(case, split, concept=None):
    """Annotations that a prediction can answer."""
    return [
        a
        for a, note in enumerate(case.annotations)
        if note["positive"]
        and not note["ignore"]
        and case.images[note["image"]]["covered"]
        and split_of(case, note["image"]) == split
        and concept in (None, note["concept"])
    ]


def confusion(case, split, concept, threshold):
    """TP, FP, FN of a concept at a threshold."""
    over = [
        p
        for p, one in enumerate(case.predictions)
        if one["concept"] == concept
        and split_of(case, one["image"]) == split
        and one["score"] >= threshold
        and counted(case, p)
    ]
    tp = sum(p in case.matched for p in over)
    return tp, len(over) - tp, len(answerable(case, split, concept)) - tp


def cuts(scores):
    """Every place to cut, lowest first: at the lowest score, between neighbours, above the
    highest."""
    distinct = sorted(set(scores))
    found = [distinct[0]]
    for below, above in itertools.pairwise(distinct):
        middle = (below + above) / 2
        found.append(middle if below < middle else above)
    return [*found, math.nextafter(distinct[-1], math.inf)]


def counted_scores(case, concepts):
    return [
        one["score"]
        for p, one in enumerate(case.predictions)
        if one["concept"] in concepts
        and split_of(case, one["image"]) == "validation"
        and counted(case, p)
    ]


def errors(case, concepts, threshold):
    total = 0
    for concept in concepts:
        _, fp, fn = confusion(case, "validation", concept, threshold)
        total += fp + fn
    return total


def best_cut(case, concepts):
    best, fewest = None, None
    for cut in cuts(counted_scores(case, concepts)):
        made = errors(case, concepts, cut)
        if fewest is None or made < fewest:
            best, fewest = cut, made
    return best


def thresholds(case):
    """{concept: (value, source)}"""
    found = {}
    for concept in case.concepts:
        if counted_scores(case, [concept]):
            found[concept] = (best_cut(case, [concept]), "validation")
        elif counted_scores(case, case.concepts):
            found[concept] = (best_cut(case, case.concepts), "fallback")
        else:
            found[concept] = (0.5, "fallback")
    return found


def outcome(case, p, at):
    one = case.predictions[p]
    if one["score"] < at[one["concept"]] or p in case.not_highest:
        return "below"
    if p in case.ignored:
        return "ignored"
    return "matched" if p in case.matched else "missing"


def best_match(case, a, at):
    """(IoU, score) of the prediction under the threshold that overlaps best."""
    note, best, with_score = case.annotations[a], 0.0, None
    for one in case.predictions:
        if (one["image"], one["concept"]) == (note["image"], note["concept"]) and one["score"] < at[
            note["concept"]
        ]:
            value = overlap(one["box"], note["box"])
            if value > best or (value == best and value > 0 and one["score"] > with_score):
                best, with_score = value, one["score"]
    return best, with_score


def score_of(case, a):
    note = case.annotations[a]
    for one in case.predictions:
        if (one["image"], one["concept"]) == (note["image"], note["concept"]):
            return one["score"]
    return 0.0


def tab(case, name, split, concept, at, reverse=False):
    """The rows of a tab in order: predictions, in `extra` annotations."""
    if name == "extra":
        rows = extra(case, split, concept, at)
    else:
        rows = [
            p
            for p, one in enumerate(case.predictions)
            if split_of(case, one["image"]) == split and concept in (None, one["concept"])
        ]
        if name == "all" and concept is None and case.kind == "classification":
            rows = [p for p in rows if p not in case.not_highest]
        if name != "all":
            rows = [p for p in rows if outcome(case, p, at) == name]
        rows.sort(key=lambda p: (-case.predictions[p]["score"], case.predictions[p]["image"], p))
    return rows[::-1] if reverse else rows


def extra(case, split, concept, at):
    answered = {
        case.matched[p]
        for p, one in enumerate(case.predictions)
        if p in case.matched and one["score"] >= at[one["concept"]]
    }
    rows = [a for a in answerable(case, split, concept) if a not in answered]
    if case.kind == "detection":
        rows.sort(key=lambda a: (best_match(case, a, at)[0], case.annotations[a]["image"], a))
    else:
        rows.sort(key=lambda a: (-score_of(case, a), case.annotations[a]["image"], a))
    return rows


def cause_of_extra(case, a, at):
    note = case.annotations[a]
    here = [p for p, one in enumerate(case.predictions) if one["image"] == note["image"]]
    good = [
        p
        for p in here
        if counted(case, p) and case.predictions[p]["score"] >= at[case.predictions[p]["concept"]]
    ]
    if a in case.matched.values():
        return "below_threshold"
    if case.kind == "classification":
        if good:
            return "other_concept"
        return "below_threshold" if here else "nothing_there"
    if case.kind == "tagging":
        return "nothing_there"
    values = [
        (
            case.predictions[p]["concept"] == note["concept"],
            overlap(case.predictions[p]["box"], note["box"]),
        )
        for p in good
    ]
    if any(not same and value >= case.iou for same, value in values):
        return "other_concept"
    if any(same and 0.1 <= value < case.iou for same, value in values):
        return "badly_placed"
    return "taken" if any(same and value >= case.iou for same, value in values) else "nothing_there"


def cause_of_missing(case, p, at):
    one = case.predictions[p]
    notes = [
        a
        for a, note in enumerate(case.annotations)
        if note["image"] == one["image"] and note["positive"] and not note["ignore"]
    ]
    if case.kind == "classification":
        return "other_concept"
    if case.kind == "tagging":
        return "nothing_there"
    answered = {
        case.matched[q]
        for q in case.matched
        if case.predictions[q]["score"] >= at[case.predictions[q]["concept"]]
    }
    values = [
        (
            a in answered,
            case.annotations[a]["concept"] == one["concept"],
            overlap(one["box"], case.annotations[a]["box"]),
        )
        for a in notes
    ]
    if any(same and known and value >= case.iou for known, same, value in values):
        return "duplicate"
    if any(not same and value >= case.iou for _, same, value in values):
        return "other_concept"
    return (
        "badly_placed"
        if any(same and 0.1 <= value < case.iou for _, same, value in values)
        else "background"
    )


def item(case, name, row, at):
    """What a gallery shows of a row, as the fields of its JSON."""
    if name == "extra":
        note = case.annotations[row]
        boxes = case.kind == "detection"
        near = best_match(case, row, at) if boxes else None
        return {
            "image": note["image"],
            "concept": note["concept"],
            "score": None if boxes else score_of(case, row),
            "box": note["box"],
            "outcome": "extra",
            "iou": None,
            "best_match": {"iou": near[0], "score": near[1]} if near else None,
            "cause": cause_of_extra(case, row, at),
        }
    one = case.predictions[row]
    how = outcome(case, row, at)
    iou = (
        overlap(one["box"], case.annotations[case.matched[row]]["box"])
        if how == "matched" and case.kind == "detection"
        else None
    )
    return {
        "image": one["image"],
        "concept": one["concept"],
        "score": one["score"],
        "box": one["box"],
        "outcome": how,
        "iou": iou,
        "best_match": None,
        "cause": cause_of_missing(case, row, at) if how == "missing" else None,
    }
