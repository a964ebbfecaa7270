"""Export of a version as a static page: the gallery page with embedded API responses and images,
without a server."""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import anyio

from pellucid.core.files import sync_to_disk
from pellucid.core.tables import SPLITS, Split
from pellucid.formats.errors import ExportError
from pellucid.formats.writers.new_files import convert_write_errors
from pellucid.images.crop_cache import CropCache
from pellucid.project import Version, Workspace
from pellucid.server.app import STATIC_FOLDER, create_app

EXPORTED_TABS = ("missing", "extra", "matched", "all")
CROP_SIZE, PICTURE_SIZE = 192, 768
MEGABYTE = 1 << 20
MAX_PAIRS, MAX_CONCEPTS, MAX_SLICE_CHANGES = 30, 60, 6
KEY_PARAMETERS = {"tab", "split", "concept", "only", "offset"}
"""Query parameters that identify a response; others have the exported values. Must match the
page's kept.ts."""

UNESCAPED = "!*'()"
"""Characters that browsers leave unescaped in a URL path segment."""

Query = list[tuple[str, str]]


@dataclass
class PageData:
    """Data embedded in the page.

    Attributes:
        bytes_left: remaining size budget
    """

    bytes_left: float
    folder: Path | None
    responses: dict[str, Any] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    compared_versions: tuple[str, str] | None = None

    def add_response(self, path: str, query: Query, response: Any) -> None:
        self.responses[response_key(path, query)] = response
        self.bytes_left -= len(
            json.dumps(response, separators=(",", ":"), ensure_ascii=False).encode()
        )

    def add_picture(self, key: str, data: bytes, media_type: str) -> None:
        if self.folder is None:
            self.pictures[key] = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        else:
            file_name = (
                f"pictures/{len(self.pictures):05}.{'svg' if 'svg' in media_type else 'jpg'}"
            )
            (self.folder / file_name).write_bytes(data)
            self.pictures[key] = file_name
        self.bytes_left -= len(self.pictures[key]) if self.folder is None else len(data)


def response_key(path: str, query: Query) -> str:
    pairs = sorted(f"{name}={value}" for name, value in query if name in KEY_PARAMETERS)
    return f"{path}?{'&'.join(pairs)}"


def export_html(
    version: Version,
    path: str | Path,
    split: Split = "validation",
    items: int = 48,
    megabytes: float = 20,
    against: str | None = None,
    force: bool = False,
) -> None:
    """Write a static page: one file if `path` ends in .html, otherwise a folder with the page and
    its images.

    Raises ExportError, EmptySplitError.

    Args:
        items: first items exported of each list, at most 100
        megabytes: approximate size limit; content is added by importance: the metrics, the
            galleries of all concepts, of causes, slices and confusions, of single concepts, whole
            images
        against: another version of the view to compare with
        force: replace an existing page
    """
    results = version.results()
    results.split_index(split)
    output_path = Path(path)
    if output_path.exists() and not (force and is_exported_page(output_path)):
        remedy = "it is no exported page" if force else "specify --force to replace it"
        raise ExportError("html", f"{output_path} already exists; {remedy}, or choose another path")
    if not (STATIC_FOLDER / "index.html").is_file():
        raise ExportError(
            "html", "the web page is missing from this installation; reinstall pellucid"
        )
    if against is not None:
        version.other_results(against, corrected=False).split_index(split)
    single = output_path.suffix.lower() in (".html", ".htm")
    final_path = output_path
    output_path = output_path.with_name(f".{output_path.name}.{uuid.uuid4().hex}.tmp")
    folder = None if single else output_path
    if folder is not None:
        (folder / "pictures").mkdir(parents=True)
    page_data = PageData(megabytes * MEGABYTE, folder)
    collector = PageCollector(version, page_data, split, min(100, items), against)
    page_path = output_path if single else output_path / "index.html"
    try:
        with ThreadPoolExecutor(
            1
        ) as thread:  # in a notebook, this thread already runs an event loop
            thread.submit(anyio.run, collector.collect).result()
        with convert_write_errors(final_path):
            page_path.write_text(render_page(page_data), encoding="utf-8")
            sync_to_disk(page_path)
            if final_path.is_dir():
                shutil.rmtree(final_path)
            output_path.replace(final_path)
    finally:
        shutil.rmtree(output_path, ignore_errors=True)
        if single:
            output_path.unlink(missing_ok=True)


PAGE_MARK = "<title>Pellucid</title>"


def is_exported_page(path: Path) -> bool:
    """Whether a file or folder is a page written before, which may be replaced."""
    page = path / "index.html" if path.is_dir() else path
    try:
        with page.open(encoding="utf-8") as stream:
            return PAGE_MARK in stream.read(4096)
    except (OSError, UnicodeDecodeError):
        return False


def open_workspace_of(version: Version) -> Workspace:
    workspace = version.view.workspace
    assert isinstance(workspace, Workspace)
    return workspace


class PageCollector:
    """Requests from the server application what the page would request."""

    def __init__(
        self, version: Version, page_data: PageData, split: Split, items: int, against: str | None
    ) -> None:
        self.version = version
        self.page_data = page_data
        self.split = split
        self.items = items
        self.against = against
        self.app = create_app(open_workspace_of(version), CropCache())
        self.version_url = self.build_version_url(version.name)

    def build_version_url(self, version_name: str) -> str:
        view = quote(self.version.view.name, safe=UNESCAPED)
        return f"api/v1/views/{view}/versions/{quote(version_name, safe=UNESCAPED)}"

    async def collect(self) -> None:
        view = self.version.view.name
        workspace = await self.fetch_json("api/v1/workspace", [])
        view_entry = next(v for v in workspace["views"] if v["name"] == view)
        # The page opens the last version: the exported one, which may be older than the other.
        version_names = [*([self.against] if self.against else []), self.version.name]
        version_entries = {entry["name"]: entry for entry in view_entry["versions"]}
        workspace["views"] = [
            {
                **view_entry,
                "versions": [version_entries[name] for name in version_names],
            }
        ]
        self.page_data.responses[response_key("api/v1/workspace", [])] = workspace
        split: Query = [("split", self.split)]
        version = await self.fetch_json(self.version_url, [])
        self.page_data.add_response(
            self.version_url,
            [],
            {
                **version,
                "splits": [
                    split_entry
                    for split_entry in version["splits"]
                    if split_entry["name"] == self.split
                ],
            },
        )
        await self.collect_overview(version_names, split)
        await self.collect_response(f"{self.version_url}/headline", split)
        await self.collect_response(f"{self.version_url}/figures", split)
        await self.collect_findings()
        concepts = range(len(version["concepts"]))
        await self.collect_concept(None, split)
        for endpoint in ("causes", "confusion"):
            await self.collect_response(f"{self.version_url}/{endpoint}", split)
        for tab in EXPORTED_TABS:
            await self.collect_list(tab, None, [])
        await self.collect_linked_lists(version["concepts"])
        if self.against:
            await self.collect_comparison()
        figures = self.page_data.responses[response_key(f"{self.version_url}/figures", split)][
            "concepts"
        ]
        for concept in sorted(concepts, key=lambda c: -(figures[c]["fp"] + figures[c]["fn"]))[
            :MAX_CONCEPTS
        ]:
            if self.page_data.bytes_left > 0:
                await self.collect_concept(concept, split)
                for tab in EXPORTED_TABS:
                    await self.collect_list(tab, concept, [])
        await self.collect_pictures()

    async def collect_overview(self, version_names: Sequence[str], split: Query) -> None:
        """Collect the figures of the exported versions."""
        url = f"{self.version_url.rpartition('/versions/')[0]}/overview"
        overview = await self.fetch_json(url, split)
        versions = [entry for entry in overview["versions"] if entry["version"] in version_names]
        self.page_data.add_response(url, split, {**overview, "versions": versions})

    async def collect_findings(self) -> None:
        """Collect the first page: what is wrong, with the lists that it shows."""
        await anyio.to_thread.run_sync(
            self.version.results().image_stats_cache.read, SPLITS.index(self.split)
        )
        query: Query = [("split", self.split)]
        if self.against:
            query.append(("baseline", self.against))
        findings = await self.collect_response(f"{self.version_url}/findings", query)
        for finding in findings["findings"]:
            if listed := finding["items"]:
                await self.collect_list(listed["tab"], listed["concept"], listed["only"])

    async def collect_concept(self, concept: int | None, split: Query) -> None:
        concept_query: Query = [] if concept is None else [("concept", str(concept))]
        await self.collect_response(f"{self.version_url}/histogram", [*split, *concept_query])
        curves = await self.fetch_json(f"{self.version_url}/curves", concept_query)
        self.page_data.add_response(f"{self.version_url}/curves", concept_query, curves)
        await self.collect_response(f"{self.version_url}/objectives", concept_query)
        if concept is not None:
            await self.collect_response(f"{self.version_url}/causes", [*split, *concept_query])

    async def collect_linked_lists(self, concepts: list[str]) -> None:
        """Collect the lists that causes, confusions and slices link to."""
        split: Query = [("split", self.split)]
        causes = self.page_data.responses[response_key(f"{self.version_url}/causes", split)][
            "found"
        ]["causes"]
        for entry in causes:
            await self.collect_list(entry["tab"], None, [f"cause:{entry['cause']}"])
        slices = await self.collect_response(f"{self.version_url}/slices", split)
        for entry in slices["slices"]:
            await self.collect_list(entry["tab"], entry["concept"], entry["only"])
        similarity_map = await self.collect_response(f"{self.version_url}/map", split)
        for group in similarity_map["groups"]:
            await self.collect_crops(
                (*parse_crop_url(example), CROP_SIZE) for example in group["examples"]
            )
        confusion = self.page_data.responses[response_key(f"{self.version_url}/confusion", split)][
            "found"
        ]
        cells = sorted(
            zip(confusion["number"], confusion["annotated"], confusion["predicted"], strict=True),
            reverse=True,
        )
        none_index = len(concepts)
        confused_pairs = [
            (annotated, predicted)
            for _, annotated, predicted in cells
            if annotated != predicted and none_index not in (annotated, predicted)
        ]
        for annotated, predicted in confused_pairs[:MAX_PAIRS]:
            await self.collect_list("missing", predicted, [f"annotated:{concepts[annotated]}"])

    async def collect_comparison(self) -> None:
        """Collect the comparison; the other version is the first, this one the second."""
        assert self.against is not None
        self.page_data.compared_versions = self.against, self.version.name
        first_url = self.build_version_url(self.against)
        split: Query = [("split", self.split)]
        compare_url = f"{first_url}/compare/{quote(self.version.name, safe=UNESCAPED)}"
        comparison = await self.collect_response(compare_url, split)
        split_index = SPLITS.index(self.split)
        other_version = self.version.other_results(self.against, corrected=False)
        await anyio.to_thread.run_sync(other_version.image_stats_cache.read, split_index)
        slices = (await self.collect_response(f"{compare_url}/slices", split))["slices"]
        version_document = await self.fetch_json(first_url, [])
        self.page_data.add_response(
            first_url,
            [],
            {
                **version_document,
                "splits": [
                    split_entry
                    for split_entry in version_document["splits"]
                    if split_entry["name"] == self.split
                ],
            },
        )
        await self.collect_response(f"{first_url}/headline", split)
        await self.collect_response(f"{first_url}/figures", split)
        await self.collect_response(f"{first_url}/histogram", split)
        for link in comparison["galleries"]:
            if link["concept"] is None:
                await self.collect_list(
                    link["tab"], None, [link["only"]], self.build_version_url(link["version"])
                )
        changed = [each for each in slices if each["fixed"] or each["broken"]]
        for each in changed[:MAX_SLICE_CHANGES]:
            await self.collect_slice_change(each, version_document["concepts"])

    async def collect_slice_change(self, change: Any, first_concepts: Sequence[str]) -> None:
        """Collect what the later version fixed and broke in a slice; the items fixed are shown with
        the first version."""
        assert self.against is not None
        concepts = self.version.evaluation.concepts
        for name, shown, other, names in (
            ("fixed", self.against, self.version.name, first_concepts),
            ("broken", self.version.name, self.against, concepts),
        ):
            if change[name]:
                await self.collect_list(
                    "extra",
                    None if change["concept"] is None else names.index(change["concept"]),
                    [f"versus:{other}={name}", *change["only"]],
                    self.build_version_url(shown),
                )

    async def collect_list(
        self, tab: str, concept: int | None, filters: Iterable[str], version_url: str | None = None
    ) -> None:
        """Collect the first items of a list, with their crops."""
        version_url = version_url or self.version_url
        clauses: Query = [("only", clause) for clause in filters]
        list_query: Query = [
            ("tab", tab),
            ("split", self.split),
            *([] if concept is None else [("concept", str(concept))]),
            *clauses,
        ]
        key = response_key(f"{version_url}/page", [*list_query, ("offset", "0")])
        if self.page_data.bytes_left <= 0 or key in self.page_data.responses:
            return
        versus_query: Query = [
            ("versus", argument.partition(":")[2].rpartition("=")[0])
            for _, argument in clauses
            if argument.startswith("versus:")
        ]
        page = await self.fetch_json(
            f"{version_url}/page",
            [*list_query, ("offset", "0"), ("limit", str(self.items)), *versus_query],
        )
        self.page_data.add_response(f"{version_url}/page", [*list_query, ("offset", "0")], page)
        self.page_data.lengths[key] = len(page["items"])
        if clauses:
            self.page_data.add_response(
                f"{version_url}/count",
                list_query,
                {"total": page["total"], "reviewed": 0, "unsure": 0},
            )
        await self.collect_crops(
            (item["picture"], item["frame"], CROP_SIZE) for item in page["items"]
        )

    async def collect_pictures(self) -> None:
        """Collect whole images up to the size limit, errors of all concepts first."""
        for tab in EXPORTED_TABS[:3]:
            page = self.page_data.responses.get(
                response_key(
                    f"{self.version_url}/page",
                    [("tab", tab), ("split", self.split), ("offset", "0")],
                ),
                {"items": []},
            )
            for item in page["items"]:
                if self.page_data.bytes_left <= 0:
                    return
                await self.collect_response(f"{self.version_url}/images/{item['image']}", [])
                await self.collect_crops([(item["picture"], None, PICTURE_SIZE)])

    async def collect_crops(self, requests: Iterable[tuple[str, list[int] | None, int]]) -> None:
        for picture, frame, size in requests:
            frame_text = ",".join(str(side) for side in frame) if frame else ""
            key = f"{picture}&{frame_text}" if frame else picture
            if key not in self.page_data.pictures and self.page_data.bytes_left > 0:
                data, kind = await self.fetch(
                    picture, [("size", str(size)), *([("frame", frame_text)] if frame else [])]
                )
                self.page_data.add_picture(key, data, kind)

    async def collect_response(self, path: str, query: Query) -> Any:
        response = await self.fetch_json(path, query)
        self.page_data.add_response(path, query, response)
        return response

    async def fetch_json(self, path: str, query: Query) -> Any:
        return json.loads((await self.fetch(path, query))[0])

    async def fetch(self, path: str, query: Query) -> tuple[bytes, str]:
        """The application's response body and its media type."""
        body, media_type, status = bytearray(), "", 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal media_type, status
            if message["type"] == "http.response.start":
                status = message["status"]
                media_type = next(
                    (
                        content.decode()
                        for header, content in message["headers"]
                        if header == b"content-type"
                    ),
                    "",
                )
            else:
                body.extend(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": unquote(f"/{path}"),
            "raw_path": f"/{path}".encode(),
            "query_string": urlencode(query).encode(),
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 0),
            "server": ("localhost", 80),
            "root_path": "",
        }
        await self.app(scope, receive, send)
        if status != 200:
            raise ExportError(
                "html",
                f"{path} returned HTTP {status}: {bytes(body[:300]).decode(errors='replace')}",
            )
        return bytes(body), media_type


def parse_crop_url(url: str) -> tuple[str, list[int] | None]:
    picture, _, query = url.partition("?")
    frame = dict(parameter.partition("=")[::2] for parameter in query.split("&")).get("frame")
    return picture, [int(side) for side in frame.split(",")] if frame else None


def render_page(page_data: PageData) -> str:
    """The built page with its style sheet, script and data inlined."""
    template = (STATIC_FOLDER / "export" / "index.html").read_text(encoding="utf-8")
    style = "\n".join(
        file.read_text(encoding="utf-8")
        for file in sorted((STATIC_FOLDER / "export" / "assets").glob("*.css"))
    )
    script = "\n".join(
        file.read_text(encoding="utf-8")
        for file in sorted((STATIC_FOLDER / "export" / "assets").glob("*.js"))
    ).replace("</script", "<\\/script")
    data = {
        "answers": page_data.responses,
        "lengths": page_data.lengths,
        "pictures": page_data.pictures,
        "compared": page_data.compared_versions,
    }
    data_json = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    head, tail = template.partition("</head>")[::2]
    lines = [
        head_line
        for head_line in head.splitlines()
        if "<script" not in head_line
        and "stylesheet" not in head_line
        and "icon.svg" not in head_line
    ]
    return (
        "\n".join(lines)
        + f"\n<style>{style}</style>\n</head>"
        + tail.replace(
            "</body>",
            f'<script id="kept" type="application/json">{data_json}</script>\n<script '
            f'type="module">{script}</script>\n</body>',
        )
    )
