"""Crop, orient and downscale images of all formats to JPEG."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, UnidentifiedImageError

from pellucid.images.crop_region import Region
from pellucid.images.decoding import open_with_pillow
from pellucid.images.decoding_budget import decoding
from pellucid.images.errors import ExternalLinkError, ImageTooLargeError, UnreadableImageError
from pellucid.images.header import SWAPPED_ORIENTATIONS, remaining_orientation

CROP_VERSION = 2
"""Part of every cache key: increment it when the rendering changes."""

JPEG_QUALITY = 86


def render_crop(location: str, region: Region | None, size: int) -> bytes:
    """Render a region ([left, top, width, height] in displayed pixels; None: all) as JPEG, at
    most `size` per side.

    Never upscaled. Raises UnreadableImageError.
    """
    try:
        with open_with_pillow(location) as image:
            return encode_jpeg(resize_region(image, region, size))
    except FileNotFoundError as error:
        raise UnreadableImageError("file not found") from error
    except ExternalLinkError as error:
        raise UnreadableImageError("symbolic link to a file outside its folder") from error
    except PermissionError as error:
        raise UnreadableImageError("permission denied") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError("too large: Pillow refuses so many pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError("unsupported image format") from error
    except ImageTooLargeError as error:
        raise UnreadableImageError(str(error)) from error
    except Exception as error:  # decoders raise arbitrary exceptions on corrupt files
        raise UnreadableImageError("corrupt or truncated file") from error


def resize_region(image: Image.Image, region: Region | None, size: int) -> Image.Image:
    """The region in displayed pixels, upright, at most `size` per side.

    Raises:
        ImageTooLargeError: the image takes too much memory to decode.
    """
    orientation = remaining_orientation(image)
    is_swapped = orientation in SWAPPED_ORIENTATIONS
    width, height = image.size[::-1] if is_swapped else image.size
    left, top, region_width, region_height = clip_region(region, width, height)
    scale = min(1.0, size / max(region_width, region_height))
    image.draft("RGB", (max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    # Memory: the stored image is cropped and scaled down first, and only then turned.
    x_min, y_min, x_max, y_max = to_stored_region(
        (left / width, top / height, (left + region_width) / width, (top + region_height) / height),
        orientation,
    )
    crop_box = (
        x_min * image.width,
        y_min * image.height,
        x_max * image.width,
        y_max * image.height,
    )
    target_size = (max(1, round(region_width * scale)), max(1, round(region_height * scale)))
    if is_swapped:
        target_size = target_size[::-1]
    with decoding(image):
        image.load()
        crop = scale_crop(image, crop_box, target_size)
    transposition = TRANSPOSITIONS.get(orientation)
    return crop if transposition is None else crop.transpose(transposition)


TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""From the stored to the displayed image, by EXIF orientation."""
Corners = tuple[float, float, float, float]


def to_stored_region(displayed: Corners, orientation: int) -> Corners:
    """Where a region of the displayed image lies in the stored one. Left, top, right and bottom as
    fractions of the image."""
    left, top, right, bottom = displayed
    if orientation in SWAPPED_ORIENTATIONS:
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = 1 - right, 1 - left
    if orientation in (3, 4, 6, 7):
        top, bottom = 1 - bottom, 1 - top
    return left, top, right, bottom


def scale_crop(image: Image.Image, crop_box: Corners, target_size: tuple[int, int]) -> Image.Image:
    """A part of an image in RGB or grey. Other modes are converted strip by strip, and scaled down
    at once, as a conversion takes several times the memory of the image."""
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return image.resize(target_size, Image.Resampling.BILINEAR, box=crop_box, reducing_gap=2.0)
    left, top = int(crop_box[0]), int(crop_box[1])
    right, bottom = min(image.width, int(crop_box[2]) + 1), min(image.height, int(crop_box[3]) + 1)
    ratio = min((right - left) / target_size[0], (bottom - top) / target_size[1])
    factor = max(1, int(ratio / 2))
    to_rgb = choose_conversion(image)
    strips = []
    step = factor * max(1, STRIP_PIXELS // (right - left) // factor)
    for strip_top in range(top, bottom, step):
        strip = to_rgb(image.crop((left, strip_top, right, min(bottom, strip_top + step))))
        strips.append(strip.reduce(factor) if factor > 1 else strip)
    reduced = Image.new("RGB", (strips[0].width, sum(strip.height for strip in strips)))
    height = 0
    for strip in strips:
        reduced.paste(strip, (0, height))
        height += strip.height
    box = (
        (crop_box[0] - left) / factor,
        (crop_box[1] - top) / factor,
        min((crop_box[2] - left) / factor, reduced.width),
        min((crop_box[3] - top) / factor, reduced.height),
    )
    return reduced.resize(target_size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


STRIP_PIXELS = 1 << 20
"""Pixels converted at a time."""


def clip_region(region: Region | None, width: int, height: int) -> Region:
    """The region clipped to the image; the whole image if they do not intersect."""
    if region is None:
        return 0, 0, width, height
    left, top = max(0, region[0]), max(0, region[1])
    right, bottom = min(width, region[0] + region[2]), min(height, region[1] + region[3])
    if right <= left or bottom <= top:
        return 0, 0, width, height
    return left, top, right - left, bottom - top


def choose_conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """How parts of an image become RGB."""
    if image.mode in DEEP_MODES:
        low, high = brightness_range(image)
        return lambda part: stretch_to_8_bit(part, low, high)
    if image.mode in ("P", "LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info:
        return flatten_on_white
    return lambda part: part.convert("RGB")


DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def brightness_range(image: Image.Image) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of the pixels, of at most a million of them."""
    sides = min(image.width, SAMPLED_SIDE), min(image.height, SAMPLED_SIDE)
    pixels = np.asarray(image.resize(sides, Image.Resampling.NEAREST)).astype(np.float32)
    low, high = np.nanpercentile(pixels, [0.5, 99.5])
    return float(low), float(high)


SAMPLED_SIDE = 1_000


def stretch_to_8_bit(image: Image.Image, low: float, high: float) -> Image.Image:
    """16-bit, 32-bit and float greyscale, scaled so that low is black and high is white."""
    pixels = np.asarray(image).astype(np.float32)
    shares = np.nan_to_num((pixels - low) / max(high - low, 1e-9))
    return Image.fromarray((np.clip(shares, 0, 1) * 255).astype(np.uint8)).convert("RGB")


def flatten_on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image).convert("RGB")


def encode_jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
