"""Dry-run import that reports how files are interpreted and why; or the import notes of a
workspace."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pellucid.core.errors import PellucidError
from pellucid.formats.dataset import Inference, Note
from pellucid.formats.prediction_sources import contains_predictions
from pellucid.formats.source_errors import options_of_predictions
from pellucid.ingest.checks import duplicate_box_notes, duplicate_image_notes, image_file_notes
from pellucid.ingest.errors import AnnotationsMissingError, ValuesPerSourceError
from pellucid.project.version import Version
from pellucid.project.view import View
from pellucid.project.workspace import Workspace
from pellucid.storage.file_names import WORKSPACE_MANIFEST
from pellucid.storage.manifests import NoteRecord, SourceRecord


@dataclass(frozen=True)
class ImportFinding:
    """A note of an import, or what stopped one."""

    kind: str
    severity: Literal["info", "warning", "error"]
    message: str
    count: int = 1

    @classmethod
    def of_note(cls, note: Note | NoteRecord) -> ImportFinding:
        return cls(note.kind, note.severity, note.message, note.count)


@dataclass(frozen=True)
class Diagnosis:
    """What an import would make of files.

    Attributes:
        readings: inferred interpretations
        findings: those of severity `error` stop an import
        commands: that would import the files
    """

    readings: list[Inference]
    findings: list[ImportFinding]
    commands: list[str] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "readings": [asdict(reading) for reading in self.readings],
            "findings": [asdict(finding) for finding in self.findings],
            "commands": self.commands,
        }


def examine(
    sources: Sequence[str],
    adding: Mapping[str, Any] | None = None,
    predicting: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """What an import would make of files, or what a workspace says of its imports.

    sources: annotation and prediction files in any order, or one workspace · adding, predicting:
    options as of `Workspace.add` and `Version.add_predictions`; `images` and `split` may be lists,
    with one value for all annotation files or one for each.

    Raises:
        PellucidError: no annotations can be read.
    """
    if len(sources) == 1 and (Path(sources[0]) / WORKSPACE_MANIFEST).is_file():
        workspace = Workspace(sources[0])
        return diagnose(
            [view for view_name in workspace.views if (view := workspace.view(view_name))], []
        )
    with tempfile.TemporaryDirectory(prefix="pellucid-doctor-") as folder:
        workspace = Workspace(Path(folder) / "workspace")
        return examine_files(workspace, sources, adding or {}, predicting or {})


def examine_files(
    workspace: Workspace,
    sources: Sequence[str],
    adding: Mapping[str, Any],
    predicting: Mapping[str, Any],
) -> Diagnosis:
    prediction_paths = [source for source in sources if contains_predictions(source)]
    if predicting.get("no_scores") and not prediction_paths:
        prediction_paths = list(sources[1:])  # they look like annotations
    annotation_paths = [source for source in sources if source not in prediction_paths]
    commands: list[str] = []
    failed: dict[str, PellucidError] = {}
    repeated: list[Note] = []
    for source, options in zip(
        annotation_paths, options_by_source(adding, len(annotation_paths)), strict=True
    ):
        try:
            known_count = image_count(workspace)
            _, notes = workspace.add("examined", source, **options)
            commands.append(import_command("add", "VIEW", source, options))
            if image_count(workspace) == known_count:
                repeated += repeated_notes(source, notes)
        except PellucidError as error:
            failed[source] = error
    if not workspace.views:
        if failed:
            raise next(iter(failed.values()))
        raise AnnotationsMissingError(sources)
    view = workspace.view("examined")
    errors: list[PellucidError] = []
    for index, source in enumerate([*prediction_paths, *failed]):
        try:  # what is no annotations may be predictions under unusual names
            with options_of_predictions():
                view.version_or_draft(f"examined-{index}").add_predictions(source, **predicting)
            commands.append(import_command("predictions", "VIEW VERSION", source, predicting))
        except PellucidError as error:
            errors.append(failed.get(source, error))
    diagnosis = diagnose([view], errors)
    findings = [*diagnosis.findings, *map(ImportFinding.of_note, repeated)]
    return replace(diagnosis, findings=findings, commands=commands)


def image_count(workspace: Workspace) -> int:
    return len(workspace.view("examined").annotation_tables[0]) if workspace.views else 0


def repeated_notes(source: str, notes: Sequence[Note]) -> list[Note]:
    """A warning about annotations of images that earlier files annotate: they may be predictions.

    Args:
        notes: of the import of the source, which added no image
    """
    known = sum(note.count for note in notes if note.kind == "images_again")
    if not known:
        return []
    message = (
        f"{Path(source).name} annotates images that the files before it annotate. If it holds "
        "predictions without scores, import it with `pellucid predictions --no-scores`"
    )
    return [Note("annotated_again", message, known)]


def options_by_source(options: Mapping[str, Any], sources: int) -> list[dict[str, Any]]:
    """The options of each annotation file.

    Raises:
        ValuesPerSourceError: an option has neither one value nor one for each file.
    """
    by_source: list[dict[str, Any]] = [dict(options) for _ in range(sources)]
    for option in ("images", "split"):
        value = options.get(option)
        if value is None or isinstance(value, str | Path):
            continue
        if len(value) not in (0, 1, sources):
            raise ValuesPerSourceError(option, len(value), sources)
        for index, chosen in enumerate(by_source):
            chosen[option] = value[index % len(value)] if value else None
    return by_source


SELECTIONS = {
    "rename": "--map",
    "concepts": "--concepts",
    "ignore_concepts": "--ignore-concept",
}
"""The repeatable option of each parameter that chooses or renames concepts."""


def import_command(name: str, placeholders: str, source: str, options: Mapping[str, Any]) -> str:
    """The command line of an import with the same options."""
    words = ["pellucid", name, "WORKSPACE", *placeholders.split(), shlex.quote(str(source))]
    for option, value in options.items():
        if value is None or value is False:
            continue
        if value is True:
            words.append(f"--{option.replace('_', '-')}")
            continue
        if option in SELECTIONS:
            pairs = [f"{a}={b}" for a, b in value.items()] if option == "rename" else value
            for chosen in pairs:
                words += [SELECTIONS[option], shlex.quote(chosen)]
            continue
        text = (
            ",".join(f"{role}={column}" for role, columns in value.items() for column in columns)
            if isinstance(value, Mapping)
            else str(value)
        )
        words += [f"--{option.replace('_', '-')}", shlex.quote(text)]
    return " ".join(words)


def diagnose(views: Sequence[View], errors: Sequence[PellucidError]) -> Diagnosis:
    """What the imports of views say, beside what stopped others."""
    readings: list[Inference] = []
    findings = [ImportFinding(type(error).__name__, "error", str(error)) for error in errors]
    for view in views:
        images, folders = view.images_and_folders
        sources = view.manifest.sources
        readings += source_readings(sources)
        findings += source_findings(sources)
        known = {finding.kind for finding in findings}  # from the import of this view
        notes = [
            *image_file_notes(images, folders),
            *duplicate_image_notes(images, folders, include_near=True),
        ]
        findings += [ImportFinding.of_note(note) for note in notes if note.kind not in known]
        for version_name in view.versions:
            version = view.version(version_name)
            sources = version.latest_manifest.prediction_sources
            readings += source_readings(sources)
            findings += [*source_findings(sources), *duplicate_findings(version)]
    return Diagnosis(readings, findings)


def duplicate_findings(version: Version) -> list[ImportFinding]:
    evaluation = version.evaluation
    notes = duplicate_box_notes(evaluation.predictions, len(evaluation.concepts))
    return [ImportFinding.of_note(note) for note in notes]


def source_readings(sources: Sequence[SourceRecord]) -> list[Inference]:
    readings: list[Inference] = []
    for source in sources:
        evidence = f"{Path(source.path).name}: {source.rows:,} rows"
        readings.append(Inference("format", source.format, evidence))
        readings += [
            Inference(
                reading.question,
                reading.answer,
                reading.evidence,
                reading.alternatives,
                reading.forced,
            )
            for reading in source.readings
        ]
    return readings


def source_findings(sources: Sequence[SourceRecord]) -> list[ImportFinding]:
    return [ImportFinding.of_note(note) for source in sources for note in source.notes]
