"""A picture as a response: a crop to be kept for ever, or a tile that says what is wrong."""

from __future__ import annotations

from html import escape

from fastapi import Response

from pellucid.images.crop_cache import CropCache
from pellucid.images.crop_region import Region
from pellucid.images.crops import PictureProblem
from pellucid.server.serializers import Pictures

FOR_EVER = "public, max-age=31536000, immutable"
NOT_KEPT = "no-store"


def picture_response(crops: CropCache, pictures: Pictures, image: int, stamp: str, frame: str | None, size: int) -> Response:
    """`stamp` must be the picture's for the answer to be kept: an old address may show the new picture, once."""
    location = pictures.location(image)
    try:
        if location is None:
            raise PictureProblem("no folder of pictures given")
        data = crops.crop(location, region(frame), size)
    except PictureProblem as problem:
        tile = problem_tile(str(problem), str(pictures.images.path[image]))
        return Response(
            tile,
            media_type="image/svg+xml",
            headers={"Cache-Control": NOT_KEPT, "X-Picture-Problem": str(problem).encode("ascii", "replace").decode()},
        )
    kept = FOR_EVER if stamp == pictures.stamp(image) and stamp != "0" else NOT_KEPT
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": kept})


def region(frame: str | None) -> Region | None:
    if frame is None:
        return None
    left, top, width, height = (int(number) for number in frame.split(","))
    return left, top, width, height


def problem_tile(problem: str, path: str) -> str:
    """A picture of the problem, legible on dark and on light."""
    name = path.rsplit("/", maxsplit=1)[-1]
    name = name if len(name) <= 28 else f"{name[:12]}…{name[-15:]}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" height="200" font-family="system-ui, sans-serif">'
        '<rect width="200" height="200" fill="#8a8f98" fill-opacity=".18"/>'
        '<g fill="none" stroke="#8a8f98" stroke-width="4"><rect x="70" y="48" width="60" height="48" rx="4"/><path d="M66 102 134 42"/></g>'
        f'<text x="100" y="132" text-anchor="middle" font-size="13" fill="#7d828b">{escape(problem)}</text>'
        f'<text x="100" y="152" text-anchor="middle" font-size="11" fill="#7d828b">{escape(name)}</text></svg>'
    )
