"""Errors of reading and writing files of other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pellucid.core.errors import PellucidError, format_count, summarize_names
from pellucid.core.suggestions import suggestion_text


class UnrecognizedFormatError(PellucidError):
    def __init__(
        self, path: object, content_kind: str, description: str, format_names: Sequence[str]
    ) -> None:
        super().__init__(
            f"{path}: not recognised as {content_kind}: found {description}. Supported formats: "
            f"{', '.join(format_names)}. Or use a CSV table (see docs/formats.md)."
        )


class PredictionsAsAnnotationsError(PellucidError):
    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: contains predictions; expected annotations. Add the annotations first, then "
            "import this file with `pellucid predictions`."
        )


class UnsupportedFormatError(PellucidError):
    """A format that is recognised but not supported."""

    def __init__(self, path: object, format_name: str, remedy: str) -> None:
        super().__init__(f"{path}: unsupported format: {format_name}. {remedy}")


class MultipleModelsError(PellucidError):
    def __init__(self, path: object, models: str) -> None:
        super().__init__(
            f"{path}: contains predictions of several models ({models}); expected one. Export "
            "each model separately."
        )


class EmptyPredictionsError(PellucidError):
    def __init__(self, path: object, reason: str) -> None:
        super().__init__(
            f"{path}: contains no predictions: {reason}. Specify the file with the model's "
            "predictions."
        )


class AmbiguousFieldError(PellucidError):
    def __init__(self, path: object, content_kind: str, fields: str) -> None:
        super().__init__(
            f"{path}: several fields could contain the {content_kind} ({fields}). Export only one "
            "of them."
        )


class MultipleAnnotationFilesError(PellucidError):
    def __init__(self, path: object, file_names: str) -> None:
        super().__init__(
            f"{path}: contains several annotation files ({file_names}); expected one. Add each "
            "file by itself, with the split it is of (--split)."
        )


class ExportError(PellucidError):
    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"{target} export: {reason}.")


class InMemoryDataError(PellucidError):
    def __init__(self, description: str) -> None:
        super().__init__(
            f"unsupported in-memory data: {description}. Use a dict of columns (image, concept, "
            "score, x, y, width, height)."
        )


class UnknownFormatNameError(PellucidError):
    exit_status = 2

    def __init__(self, format_name: str, format_names: Sequence[str]) -> None:
        super().__init__(
            f"unknown format '{format_name}'. Expected one of: {', '.join(format_names)}."
            f"{suggestion_text(format_name, format_names)}"
        )


class InvalidScoreError(PellucidError):
    def __init__(self, path: object, record: object, score: object) -> None:
        super().__init__(
            f"{path}: {record}: score is {score}; expected a finite number. Fix or remove this "
            "prediction"
            + (", or specify --no-scores if none has a score." if score == "absent" else ".")
        )


class AnnotationsAsPredictionsError(PellucidError):
    def __init__(self, path: object, format_name: str) -> None:
        super().__init__(
            f"{path}: these are annotations ({format_name}), without scores. If they are "
            "predictions without scores, as of a second annotator or another data set, specify "
            "--no-scores."
        )


class InvalidBoxError(PellucidError):
    def __init__(self, path: object, record: object, box: object) -> None:
        super().__init__(
            f"{path}: {record}: box is {box}; expected finite numbers with non-negative width and "
            "height. Fix or remove it."
        )


class InvalidRecordError(PellucidError):
    def __init__(self, path: object, record: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {record}: {problem}. {remedy}")


class UnlistedImageError(PellucidError):
    def __init__(self, path: object, record: object, image_id: object) -> None:
        super().__init__(
            f"{path}: {record}: image {image_id!r} is not in the file's image list. Add it to the "
            "list or remove the annotation."
        )


class UnlistedConceptError(PellucidError):
    def __init__(
        self, path: object, record: object, concept_id: object, concept_ids: Sequence[object]
    ) -> None:
        super().__init__(
            f"{path}: {record}: unknown concept {concept_id!r}. Expected one of: "
            f"{summarize_names(concept_ids)}. Add it to the list or correct the annotation."
        )


class DuplicateImageError(PellucidError):
    def __init__(self, path: object, image: str) -> None:
        super().__init__(
            f"{path}: duplicate image '{image}'. Image paths must be unique: rename or remove one."
        )


class MultipleConceptsError(PellucidError):
    def __init__(self, path: object, image: str, first_concept: str, second_concept: str) -> None:
        super().__init__(
            f"{path}: image '{image}' has two concepts ('{first_concept}' and "
            f"'{second_concept}'); classification expects one concept per image.  "
            "Remove one, or create a tagging view (--kind tagging)."
        )


class PathTraversalError(PellucidError):
    """common_folder: of all image paths of the source, if they are absolute and share one."""

    def __init__(self, path: object, image_path: str, common_folder: str = "") -> None:
        remedy = (
            f"All image paths begin with '{common_folder}/': give the folder where the images are "
            f"now (--images {common_folder}, if it is there), or remove that beginning."
            if common_folder
            else "Use paths relative to the folder given with --images, or give the folder where "
            "the image is now."
        )
        super().__init__(f"{path}: image path '{image_path}' is outside the image folder. {remedy}")


class UnknownSplitError(PellucidError):
    def __init__(self, path: object, record: object, split: object) -> None:
        super().__init__(
            f"{path}: {record}: invalid split '{split}'. Expected one of: training, validation, "
            "test."
        )


class ContradictoryTagError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(
            f"{path}: contradictory labels: image '{image}' is marked both with and without "
            f"'{concept}'. Remove one."
        )


class KindConflictError(PellucidError):
    def __init__(self, path: object, view: str, kind: str, content: str) -> None:
        super().__init__(
            f"{path}: {content} cannot be used with view '{view}', which is a {kind} view. Use "
            "another view."
        )


class BoxesMissingError(PellucidError):
    """Annotations without boxes for a detection view."""

    def __init__(self, path: object, count: int) -> None:
        super().__init__(
            f"{path}: {count:,} annotations without boxes cannot be added to a detection view. "
            "Name the box columns with --columns (xmin=..,ymin=..,xmax=..,ymax=..), or use another "
            "view with --kind tagging or classification."
        )


class DuplicateScoreError(PellucidError):
    def __init__(self, path: object, image: str, concept: str) -> None:
        super().__init__(
            f"{path}: duplicate score: image '{image}' has two scores for '{concept}'. Remove one "
            "of them."
        )


class SplitConflictError(PellucidError):
    def __init__(
        self,
        path: object,
        image: str,
        existing_split: str,
        new_split: str,
        remedy: str = "Correct the split or use another view.",
    ) -> None:
        super().__init__(
            f"{path}: image '{image}' is already in {existing_split} and cannot also be in "
            f"{new_split}. {remedy}"
        )


class InvalidPluginError(PellucidError):
    """An entry point of the group `pellucid.formats` is not a format."""

    exit_status = 1

    def __init__(self, entry_point: str, problem: str) -> None:
        super().__init__(
            f"format plug-in {entry_point}: {problem}. Expected an AnnotationFormat or a "
            "PredictionFormat. Fix or uninstall the package."
        )


class AmbiguousColumnsError(PellucidError):
    """Several columns of a table could have the same role."""

    def __init__(
        self, path: object, role: str, columns: Sequence[str], option: str | None = None
    ) -> None:
        choices = option or " or ".join(f"{role}={column}" for column in columns)
        super().__init__(
            f"{path}: several columns could be the {role}: {summarize_names(columns, 6)}. "
            f"Choose with --columns {choices}."
        )


class DisagreeingAnnotatorsError(PellucidError):
    """Images have several labels by different people."""

    def __init__(self, path: object, column: str, count: int) -> None:
        super().__init__(
            f"{path}: {format_count(count, 'image')} with several labels, by different people "
            f"(column '{column}'). These may be one class that they disagree on, or several tags. "
            "Keep one label per image, or read them as tags with --kind tagging."
        )


class UnreadBoxColumnsError(PellucidError):
    """Columns of a table look like a box and are not understood."""

    def __init__(self, path: object, columns: Sequence[str], may_have_none: bool = False) -> None:
        super().__init__(
            f"{path}: columns {summarize_names(columns, 8)} look like boxes, but their layout is "
            "not known. Name them with --columns xmin=..,ymin=..,xmax=..,ymax=.. or "
            "x=..,y=..,width=..,height=.., one number per column, or remove them"
            f"{'; if there are no boxes, specify --kind' if may_have_none else ''}."
        )


class ColumnsMissingError(PellucidError):
    """A table lacks a column that is needed."""

    def __init__(self, path: object, missing: str, columns: Sequence[str], remedy: str) -> None:
        super().__init__(
            f"{path}: no column is recognised as {missing}; found "
            f"{summarize_names(columns, 12)}. {remedy}"
        )


class NoTableError(PellucidError):
    """Columns are named of a folder."""

    exit_status = 2

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: is a folder, and --columns names those of a table. Import one table of it, "
            "or leave out --columns."
        )


class TrueColumnsError(PellucidError):
    """A table of predictions has columns of the truth alone."""

    def __init__(self, path: object, columns: Sequence[str]) -> None:
        super().__init__(
            f"{path}: columns {summarize_names(columns, 6)} are of the truth, as their names say, "
            "and no others are scores. Specify the file of the predictions, or name the columns "
            f"with --columns concept={columns[0]} for each of them."
        )


class HeaderMissingError(PellucidError):
    def __init__(self, path: object, cells: Sequence[str], header: str) -> None:
        super().__init__(
            f"{path}: the header is missing: line 1 is data ({', '.join(cells)[:80]}). Add a first "
            f"line with a name for each column, such as {header}."
        )


class AmbiguousSeparatorError(PellucidError):
    """Cells could hold one concept or several."""

    def __init__(self, path: object, column: str, cell: str, separator: str) -> None:
        super().__init__(
            f"{path}: column {column}: '{cell}' could be one concept or several, separated by "
            f"'{separator}'. Specify --separator '{separator}', or --separator none for one "
            "concept per cell."
        )


class BoxFormatRequiredError(PellucidError):
    """The four numbers of boxes have several plausible meanings."""

    def __init__(
        self, path: object, problem: str, choices: Sequence[str], are_predictions: bool = False
    ) -> None:
        options = " or ".join(f"--boxes {choice}" for choice in choices)
        other = "" if are_predictions else " (with `open` and `doctor`: --annotation-boxes)"
        super().__init__(f"{path}: {problem}. Specify {options}{other}.")


class BoxesOutsideImagesError(PellucidError):
    """Most boxes of a format that states their meaning lie outside their image.

    Args:
        are_pixels: whether they lie inside when read as pixels
    """

    def __init__(
        self,
        path: object,
        format_name: str,
        share: float,
        shape: str = "xywh",
        are_pixels: bool = False,
    ) -> None:
        other_units = (
            f"{shape}-1000-stretched for a scale of 0 to 1000, {shape}-640-stretched for images "
            "that were resized to 640 x 640."
        )
        remedy = (
            f"As pixels they do: specify --boxes {shape}-pixels if they are."
            if are_pixels
            else "The program that wrote the file may have another order of numbers, or the images "
            f"another size. Correct the numbers, or state their unit: --boxes {other_units}"
        )
        super().__init__(
            f"{path}: only {share:.0%} of its boxes lie inside their image, read as {format_name} "
            f"defines them. {remedy}"
        )


class StatedBoxesError(PellucidError):
    """The user names the meaning of boxes whose format states it."""

    def __init__(self, path: object, format_name: str, stated: str) -> None:
        is_table = format_name == "table"
        what = "the names of the columns state" if is_table else f"{format_name} defines"
        remedy = "rename the columns" if is_table else "write a CSV table (docs/formats.md)"
        super().__init__(
            f"{path}: --boxes {stated}: {what} what the numbers of a box are. Leave --boxes out; "
            f"for other numbers, {remedy}."
        )


class StatedShapeError(PellucidError):
    """The user names another meaning of boxes than the columns."""

    def __init__(self, path: object, option_value: str, stated_shape: str, unit: str) -> None:
        meaning = {"xyxy": "corners", "xywh": "left, top, width and height", "cxcywh": "centers"}
        super().__init__(
            f"{path}: --boxes {option_value}: the columns are named as {meaning[stated_shape]}. "
            f"Specify --boxes {stated_shape}-{unit.replace(' ', '-')}, or rename the columns."
        )


class MetadataColumnsError(PellucidError):
    """It is not clear which columns of a table are concepts."""

    def __init__(self, path: object, problem: str, concepts: Sequence[str]) -> None:
        choices = ",".join(f"concept={concept}" for concept in concepts[:3]) or "concept=COLUMN"
        more = ",..." if len(concepts) > 3 else ""
        single = "" if len(concepts) > 1 else " --kind tagging, for a tag that is there or not"
        super().__init__(
            f"{path}: {problem}. Name the concepts with --columns {choices}{more}{single}, or "
            "correct the cell."
        )


class PredictionKindError(PellucidError):
    """A file with boxes for images of a classification or tagging view, or the reverse."""

    def __init__(self, path: object, kind: str, content: str) -> None:
        expected = "boxes with scores" if kind == "detection" else "scores per image and concept"
        super().__init__(
            f"{path}: found {content}; a {kind} view needs {expected}. Use a file with {expected}, "
            "or a view of another kind."
        )


class NothingReadError(PellucidError):
    """A source has annotations, but none that can be read."""

    def __init__(self, path: object, found: Mapping[str, int], has_others: bool = False) -> None:
        """has_others: whether each image has annotations that could be read beside them."""
        counts = ", ".join(f"{name} ({count:,})" for name, count in list(found.items())[:12])
        if has_others:
            super().__init__(
                f"{path}: every image has something that is not read ({counts}), so that none "
                "counts as annotated. Remove what is not meant to be compared, or write a CSV "
                "table (docs/formats.md)."
            )
            return
        super().__init__(
            f"{path}: no annotation can be read; found {counts}. Export boxes, outlines or "
            "labels, or write a CSV table (docs/formats.md)."
        )


class LabelFilesMissingError(PellucidError):
    """No image of a YOLO data set has a label file."""

    def __init__(
        self, path: object, image_count: int, searched: str, label_folders: Sequence[str]
    ) -> None:
        found = f" Text files are in {summarize_names(label_folders)}." if label_folders else ""
        super().__init__(
            f"{path}: none of its {image_count:,} images has a label file (such as {searched})."
            f"{found} Put the labels where `images` is replaced by `labels` in the image's path."
        )


class UnequalListsError(ValueError):
    """Parallel lists of one image have different lengths."""
