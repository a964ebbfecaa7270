"""Image responses: a cacheable crop, or a placeholder with the error."""

from __future__ import annotations

from html import escape

from fastapi import Response

from pellucid.images.crop_cache import CropCache
from pellucid.images.crop_region import Region
from pellucid.images.errors import UnreadableImageError
from pellucid.server.version_images import VersionImages

IMMUTABLE_CACHE = "public, max-age=31536000, immutable"
NO_STORE = "no-store"


def image_response(
    crop_cache: CropCache,
    version_images: VersionImages,
    image: int,
    url_stamp: str,
    frame: str | None,
    size: int,
) -> Response:
    """Responses are cacheable only if `url_stamp` is current: an old URL returns the new image
    uncached."""
    location = version_images.location(image)
    try:
        if location is None:
            raise UnreadableImageError("no image folder given")
        jpeg_bytes = crop_cache.crop(location, parse_region(frame), size)
    except UnreadableImageError as problem:
        placeholder = problem_placeholder(
            str(problem),
            str(version_images.images.path[image]),
            *displayed_size(version_images, image, frame),
        )
        return Response(
            placeholder,
            media_type="image/svg+xml",
            headers={
                "Cache-Control": NO_STORE,
                "X-Picture-Problem": str(problem).encode("ascii", "replace").decode(),
            },
        )
    cache_control = (
        IMMUTABLE_CACHE
        if url_stamp == version_images.stamp(image) and url_stamp != "0"
        else NO_STORE
    )
    return Response(jpeg_bytes, media_type="image/jpeg", headers={"Cache-Control": cache_control})


def parse_region(frame: str | None) -> Region | None:
    if frame is None:
        return None
    left, top, width, height = (int(coordinate) for coordinate in frame.split(","))
    return left, top, width, height


UNKNOWN_SIZE = (200, 200)


def displayed_size(version_images: VersionImages, image: int, frame: str | None) -> tuple[int, int]:
    """Width and height that the image would have, so that what is drawn on it lies where it
    should."""
    region = parse_region(frame)
    if region is not None:
        return region[2:]
    images = version_images.images
    width, height = int(images.width[image]), int(images.height[image])
    return (width, height) if width > 0 and height > 0 else UNKNOWN_SIZE


def problem_placeholder(problem: str, path: str, width: int, height: int) -> str:
    """An SVG with the error message, legible on dark and light backgrounds."""
    file_name = path.rsplit("/", maxsplit=1)[-1]
    file_name = file_name if len(file_name) <= 28 else f"{file_name[:12]}…{file_name[-15:]}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif">'
        '<rect width="100%" height="100%" fill="#8a8f98" fill-opacity=".18"/>'
        '<svg viewBox="0 0 200 200">'
        '<g fill="none" stroke="#8a8f98" stroke-width="4"><rect x="70" y="48" width="60" '
        'height="48" rx="4"/><path d="M66 102 134 42"/></g>'
        '<text x="100" y="132" text-anchor="middle" font-size="13" '
        f'fill="#7d828b">{escape(problem)}</text>'
        '<text x="100" y="152" text-anchor="middle" font-size="11" '
        f'fill="#7d828b">{escape(file_name)}</text></svg></svg>'
    )
