"""A version as a page that opens from disk: the gallery's own page with its answers and pictures in it, no server."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import anyio

from pellucid.columns import Split
from pellucid.errors import ExportError
from pellucid.images.cache import CropCache
from pellucid.server.app import STATIC, make_app
from pellucid.workspace import Version

TABS = ("missing", "extra", "matched", "all")
CROP, WHOLE = 192, 768
MEGABYTE = 1 << 20
MOST_PAIRS, MOST_CONCEPTS = 30, 60
AS_EXPORTED = {"tab", "split", "concept", "only", "offset"}
"""What tells answers apart; everything else is as it was exported. The page's kept.ts says the same."""

PLAIN = "!*'()"
"""What browsers leave as it is in a part of an address."""

Query = list[tuple[str, str]]


@dataclass
class Kept:
    """What the page will find in itself. room: bytes left."""

    room: float
    folder: Path | None
    answers: dict[str, Any] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    compared: tuple[str, str] | None = None

    def keep(self, path: str, query: Query, answer: Any) -> None:
        self.answers[key_of(path, query)] = answer
        self.room -= len(json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode())

    def keep_picture(self, key: str, data: bytes, kind: str) -> None:
        if self.folder is None:
            self.pictures[key] = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        else:
            name = f"pictures/{len(self.pictures):05}.{'svg' if 'svg' in kind else 'jpg'}"
            (self.folder / name).write_bytes(data)
            self.pictures[key] = name
        self.room -= len(self.pictures[key]) if self.folder is None else len(data)


def key_of(path: str, query: Query) -> str:
    return f"{path}?{'&'.join(sorted(f'{name}={value}' for name, value in query if name in AS_EXPORTED))}"


def export_html(
    version: Version, path: str | Path, split: Split = "validation", items: int = 48, megabytes: float = 20, against: str | None = None
) -> None:
    """Write a page that opens from disk: one file where `path` ends in .html, else a folder with the pictures beside the page.

    items: of each list, the first so many, 100 at most. megabytes: about how large it may become; what matters most goes in first: the
    figures, the galleries of all concepts, those behind causes, slices and confusions, those of single concepts, whole pictures.
    against: another version of the view to compare with. Raises ExportImpossible, SplitEmpty; nothing is overwritten.
    """
    version.in_split(split)
    target = Path(path)
    if target.exists():
        raise ExportError("html", f"{target} is there already; name a new file or folder")
    if not (STATIC / "index.html").is_file():
        raise ExportError("html", "the page was not built with this installation")
    if against is not None:
        version.view.version(against).in_split(split)
    single = target.suffix.lower() in (".html", ".htm")
    folder = None if single else target
    if folder is not None:
        (folder / "pictures").mkdir(parents=True)
    kept = Kept(megabytes * MEGABYTE, folder)
    collector = Collector(version, kept, split, min(100, items), against)
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has a loop of its own running in this one
            thread.submit(anyio.run, collector.collect).result()
    except BaseException:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    page = written_page(kept)
    (target if single else target / "index.html").write_text(page, encoding="utf-8")


class Collector:
    """Asks the server's own application for what the page would ask it for."""

    def __init__(self, version: Version, kept: Kept, split: Split, items: int, against: str | None) -> None:
        self.version = version
        self.kept = kept
        self.split = split
        self.items = items
        self.against = against
        self.app = make_app(version.view.workspace, CropCache())
        self.root = self.root_of(version.name)

    def root_of(self, version: str) -> str:
        return f"api/views/{quote(self.version.view.name, safe=PLAIN)}/versions/{quote(version, safe=PLAIN)}"

    async def collect(self) -> None:
        view = self.version.view.name
        workspace = await self.json("api/workspace", [])
        names = [self.version.name, *([self.against] if self.against else [])]
        own = next(one for one in workspace["views"] if one["name"] == view)
        workspace["views"] = [{**own, "versions": [one for one in own["versions"] if one["name"] in names]}]
        self.kept.answers[key_of("api/workspace", [])] = workspace
        split: Query = [("split", self.split)]
        version = await self.json(self.root, [])
        self.kept.keep(self.root, [], {**version, "splits": [one for one in version["splits"] if one["name"] == self.split]})
        await self.keep(f"{self.root}/figures", split)
        concepts = range(len(version["concepts"]))
        await self.of_concept(None, split)
        for name in ("causes", "confusion"):
            await self.keep(f"{self.root}/{name}", split)
        for tab in TABS:
            await self.gallery(tab, None, [])
        await self.behind_marks(version["concepts"])
        if self.against:
            await self.compared()
        figures = self.kept.answers[key_of(f"{self.root}/figures", split)]["concepts"]
        for concept in sorted(concepts, key=lambda one: -(figures[one]["fp"] + figures[one]["fn"]))[:MOST_CONCEPTS]:
            if self.kept.room > 0:
                await self.of_concept(concept, split)
                for tab in TABS:
                    await self.gallery(tab, concept, [])
        await self.whole_pictures()

    async def of_concept(self, concept: int | None, split: Query) -> None:
        chosen: Query = [] if concept is None else [("concept", str(concept))]
        await self.keep(f"{self.root}/histogram", [*split, *chosen])
        curves = await self.json(f"{self.root}/curves", chosen)
        self.kept.keep(f"{self.root}/curves", chosen, curves)
        await self.keep(f"{self.root}/objectives", chosen)
        if concept is not None:
            await self.keep(f"{self.root}/causes", [*split, *chosen])

    async def behind_marks(self, concepts: list[str]) -> None:
        """The lists that causes, confusions and slices open."""
        split: Query = [("split", self.split)]
        causes = self.kept.answers[key_of(f"{self.root}/causes", split)]["found"]["causes"]
        for one in causes:
            await self.gallery(one["tab"], None, [f"cause:{one['cause']}"])
        await anyio.to_thread.run_sync(self.version.loaded.looks.read, self.version.in_split(self.split))
        slices = await self.keep(f"{self.root}/slices", split)
        for one in slices["slices"]:
            await self.gallery(one["tab"], one["concept"], one["only"])
        alike = await self.keep(f"{self.root}/map", split)
        for group in alike["groups"]:
            await self.pictures((*example_of(example), CROP) for example in group["examples"])
        found = self.kept.answers[key_of(f"{self.root}/confusion", split)]["found"]
        cells = sorted(zip(found["number"], found["annotated"], found["predicted"], strict=True), reverse=True)
        none = len(concepts)
        mixed = [
            (annotated, predicted) for _, annotated, predicted in cells if annotated != predicted and none not in (annotated, predicted)
        ]
        for annotated, predicted in mixed[:MOST_PAIRS]:
            await self.gallery("missing", predicted, [f"annotated:{concepts[annotated]}"])

    async def compared(self) -> None:
        """The other version is the first, this one the second, as the page has it."""
        assert self.against is not None
        self.kept.compared = self.against, self.version.name
        first = self.root_of(self.against)
        split: Query = [("split", self.split)]
        here = f"{first}/compare/{quote(self.version.name, safe=PLAIN)}"
        found = await self.keep(here, split)
        place = self.version.in_split(self.split)
        other = self.version.view.version(self.against)
        await anyio.to_thread.run_sync(other.loaded.looks.read, place)
        await self.keep(f"{here}/slices", split)
        told = await self.json(first, [])
        self.kept.keep(first, [], {**told, "splits": [one for one in told["splits"] if one["name"] == self.split]})
        await self.keep(f"{first}/figures", split)
        await self.keep(f"{first}/histogram", split)
        for link in found["galleries"]:
            if link["concept"] is None:
                await self.gallery(link["tab"], None, [link["only"]], self.root_of(link["version"]))

    async def gallery(self, tab: str, concept: int | None, only: Iterable[str], root: str | None = None) -> None:
        """The first items of a list, with their crops."""
        root = root or self.root
        clauses: Query = [("only", clause) for clause in only]
        asked: Query = [("tab", tab), ("split", self.split), *([] if concept is None else [("concept", str(concept))]), *clauses]
        key = key_of(f"{root}/page", [*asked, ("offset", "0")])
        if self.kept.room <= 0 or key in self.kept.answers:
            return
        beside: Query = [("versus", value.partition(":")[2].rpartition("=")[0]) for _, value in clauses if value.startswith("versus:")]
        page = await self.json(f"{root}/page", [*asked, ("offset", "0"), ("limit", str(self.items)), *beside])
        self.kept.keep(f"{root}/page", [*asked, ("offset", "0")], page)
        self.kept.lengths[key] = len(page["items"])
        if clauses:
            self.kept.keep(f"{root}/count", asked, {"total": page["total"], "reviewed": 0, "unsure": 0})
        await self.pictures((item["picture"], item["frame"], CROP) for item in page["items"])

    async def whole_pictures(self) -> None:
        """As many as there is room for, of the errors of all concepts first."""
        for tab in TABS[:3]:
            page = self.kept.answers.get(key_of(f"{self.root}/page", [("tab", tab), ("split", self.split), ("offset", "0")]), {"items": []})
            for item in page["items"]:
                if self.kept.room <= 0:
                    return
                await self.keep(f"{self.root}/images/{item['image']}", [])
                await self.pictures([(item["picture"], None, WHOLE)])

    async def pictures(self, several: Iterable[tuple[str, list[int] | None, int]]) -> None:
        for picture, frame, size in several:
            part = ",".join(str(side) for side in frame) if frame else ""
            key = f"{picture}&{part}" if frame else picture
            if key not in self.kept.pictures and self.kept.room > 0:
                data, kind = await self.get(picture, [("size", str(size)), *([("frame", part)] if frame else [])])
                self.kept.keep_picture(key, data, kind)

    async def keep(self, path: str, query: Query) -> Any:
        answer = await self.json(path, query)
        self.kept.keep(path, query, answer)
        return answer

    async def json(self, path: str, query: Query) -> Any:
        return json.loads((await self.get(path, query))[0])

    async def get(self, path: str, query: Query) -> tuple[bytes, str]:
        """What the application answers, and of which kind it is."""
        body, kind, status = bytearray(), "", 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal kind, status
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = next((value.decode() for name, value in message["headers"] if name == b"content-type"), "")
            else:
                body.extend(message.get("body", b""))

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": unquote(f"/{path}"),
            "raw_path": f"/{path}".encode(), "query_string": urlencode(query).encode(), "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 0), "server": ("localhost", 80), "root_path": "",
        }  # fmt: skip
        await self.app(scope, receive, send)
        if status != 200:
            raise ExportError("html", f"{path} answered {status}: {bytes(body[:300]).decode(errors='replace')}")
        return bytes(body), kind


def example_of(address: str) -> tuple[str, list[int] | None]:
    picture, _, query = address.partition("?")
    frame = dict(part.partition("=")[::2] for part in query.split("&")).get("frame")
    return picture, [int(side) for side in frame.split(",")] if frame else None


def written_page(kept: Kept) -> str:
    """The built page with its style, its program and what was kept inside."""
    page = (STATIC / "export" / "index.html").read_text(encoding="utf-8")
    style = "\n".join(file.read_text(encoding="utf-8") for file in sorted((STATIC / "export" / "assets").glob("*.css")))
    program = "\n".join(file.read_text(encoding="utf-8") for file in sorted((STATIC / "export" / "assets").glob("*.js"))).replace(
        "</script", "<\\/script"
    )
    data = {"answers": kept.answers, "lengths": kept.lengths, "pictures": kept.pictures, "compared": kept.compared}
    inside = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    head, tail = page.partition("</head>")[::2]
    lines = [line for line in head.splitlines() if "<script" not in line and "stylesheet" not in line and "icon.svg" not in line]
    return (
        "\n".join(lines) + f"\n<style>{style}</style>\n</head>" + tail.replace(
            "</body>", f'<script id="kept" type="application/json">{inside}</script>\n<script type="module">{program}</script>\n</body>'
        )
    )  # fmt: skip
