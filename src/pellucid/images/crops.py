"""Cut, orient and shrink pictures of every sort to JPEG for the page."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pellucid.images.crop_region import Region
from pellucid.images.locations import LinkLeadsOut, open_picture
from pellucid.images.sizes import ORIENTATION, SIDEWAYS, picture_formats

RECIPE = 1
"""Part of every cache key: raise it when crops come out differently."""

QUALITY = 86
MOST_PIXELS = 180_000_000
"""Larger pictures are not decoded: about 550 MB of memory each."""


class PictureProblem(Exception):
    """A picture that cannot be shown; the text says why in a few words."""


def cut(location: str, region: Region | None, size: int) -> bytes:
    """A JPEG of the region ([left, top, width, height] in displayed pixels; None for all), at most `size` pixels a side.

    Never enlarged. Raises PictureProblem.
    """
    try:
        with warnings.catch_warnings(), open_picture(location) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=picture_formats()) as picture:
                return encoded(shrunk(picture, region, size))
    except FileNotFoundError as error:
        raise PictureProblem("not found") from error
    except LinkLeadsOut as error:
        raise PictureProblem("a link that leads out of its folder") from error
    except PermissionError as error:
        raise PictureProblem("no permission to read it") from error
    except Image.DecompressionBombError as error:
        raise PictureProblem("too large: over 180 million pixels") from error
    except UnidentifiedImageError as error:
        raise PictureProblem("not a picture that can be read") from error
    except PictureProblem:
        raise
    except Exception as error:  # decoders of damaged files raise whatever they stumbled over
        raise PictureProblem("broken or cut short") from error


def shrunk(picture: Image.Image, region: Region | None, size: int) -> Image.Image:
    if picture.width * picture.height > MOST_PIXELS:
        raise PictureProblem(f"too large: {picture.width:,} × {picture.height:,} pixels")
    orientation = picture.getexif().get(ORIENTATION, 1)
    width, height = picture.size if orientation not in SIDEWAYS else picture.size[::-1]
    left, top, across, down = inside(region, width, height)
    scale = min(1.0, size / max(across, down))
    picture.draft("RGB", (int(picture.width * scale), int(picture.height * scale)))
    if orientation != 1:
        picture = ImageOps.exif_transpose(picture)
    ratio_x, ratio_y = picture.width / width, picture.height / height
    box = (left * ratio_x, top * ratio_y, (left + across) * ratio_x, (top + down) * ratio_y)
    target = (max(1, round(across * scale)), max(1, round(down * scale)))
    if picture.mode not in ("RGB", "L"):  # changes of mode cost memory: only what is shown is changed
        whole = (int(box[0]), int(box[1]), min(picture.width, int(box[2]) + 1), min(picture.height, int(box[3]) + 1))
        picture = picture.crop(whole)
        box = (box[0] - whole[0], box[1] - whole[1], min(box[2] - whole[0], picture.width), min(box[3] - whole[1], picture.height))
    if picture.mode not in ("RGB", "L", "RGBA", "LA", "P", "CMYK"):
        picture = eight_bits(picture)
    if picture.mode in ("P", "LA", "RGBA", "PA") or "transparency" in picture.info:
        picture = on_white(picture)
    if picture.mode not in ("RGB", "L"):
        picture = picture.convert("RGB")
    return picture.resize(target, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


def inside(region: Region | None, width: int, height: int) -> Region:
    """The region, cut to the picture; all of the picture where they do not meet."""
    if region is None:
        return 0, 0, width, height
    left, top = max(0, region[0]), max(0, region[1])
    right, bottom = min(width, region[0] + region[2]), min(height, region[1] + region[3])
    if right <= left or bottom <= top:
        return 0, 0, width, height
    return left, top, right - left, bottom - top


def eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey, stretched between its 0.5th and 99.5th percentile; others as Pillow converts them."""
    if picture.mode not in ("I", "F", "I;16", "I;16L", "I;16B", "I;16N"):
        return picture.convert("RGB")
    values = np.asarray(picture).astype(np.float32)
    low, high = np.nanpercentile(values, [0.5, 99.5])
    spread = max(float(high - low), 1e-9)
    return Image.fromarray((np.clip(np.nan_to_num((values - low) / spread), 0, 1) * 255).astype(np.uint8))


def on_white(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
