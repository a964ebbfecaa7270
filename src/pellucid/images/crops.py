"""Crop, orient and downscale images of all formats to JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pellucid.images.crop_region import Region
from pellucid.images.decoding import open_with_pillow
from pellucid.images.locations import ExternalLinkError
from pellucid.images.sizes import EXIF_ORIENTATION, SWAPPED_ORIENTATIONS

CROP_VERSION = 1
"""Part of every cache key: increment it when the rendering changes."""

JPEG_QUALITY = 86
MAX_IMAGE_PIXELS = 180_000_000
"""Larger images are not decoded: about 550 MB of memory each."""


class UnreadableImageError(Exception):
    """An image that cannot be displayed; the message is a short reason."""


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
        raise UnreadableImageError("too large: more than 180 million pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError("unsupported image format") from error
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise arbitrary exceptions on corrupt files
        raise UnreadableImageError("corrupt or truncated file") from error


def resize_region(image: Image.Image, region: Region | None, size: int) -> Image.Image:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise UnreadableImageError(f"too large: {image.width:,} × {image.height:,} pixels")
    orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    width, height = image.size if orientation not in SWAPPED_ORIENTATIONS else image.size[::-1]
    left, top, region_width, region_height = clip_region(region, width, height)
    scale = min(1.0, size / max(region_width, region_height))
    image.draft("RGB", (int(image.width * scale), int(image.height * scale)))
    if orientation != 1:
        image = ImageOps.exif_transpose(image)
    ratio_x, ratio_y = image.width / width, image.height / height
    crop_box = (
        left * ratio_x,
        top * ratio_y,
        (left + region_width) * ratio_x,
        (top + region_height) * ratio_y,
    )
    target_size = (max(1, round(region_width * scale)), max(1, round(region_height * scale)))
    if image.mode not in ("RGB", "L"):  # mode conversion costs memory: convert only the crop
        pixel_box = (
            int(crop_box[0]),
            int(crop_box[1]),
            min(image.width, int(crop_box[2]) + 1),
            min(image.height, int(crop_box[3]) + 1),
        )
        image = image.crop(pixel_box)
        crop_box = (
            crop_box[0] - pixel_box[0],
            crop_box[1] - pixel_box[1],
            min(crop_box[2] - pixel_box[0], image.width),
            min(crop_box[3] - pixel_box[1], image.height),
        )
    if image.mode not in ("RGB", "L", "RGBA", "LA", "P", "CMYK"):
        image = convert_to_8_bit(image)
    if image.mode in ("P", "LA", "RGBA", "PA") or "transparency" in image.info:
        image = flatten_on_white(image)
    if image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    return image.resize(target_size, Image.Resampling.BILINEAR, box=crop_box, reducing_gap=2.0)


def clip_region(region: Region | None, width: int, height: int) -> Region:
    """The region clipped to the image; the whole image if they do not intersect."""
    if region is None:
        return 0, 0, width, height
    left, top = max(0, region[0]), max(0, region[1])
    right, bottom = min(width, region[0] + region[2]), min(height, region[1] + region[3])
    if right <= left or bottom <= top:
        return 0, 0, width, height
    return left, top, right - left, bottom - top


def convert_to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greyscale, scaled from its 0.5th to 99.5th percentile; other
    modes as in Pillow."""
    if image.mode not in ("I", "F", "I;16", "I;16L", "I;16B", "I;16N"):
        return image.convert("RGB")
    pixels = np.asarray(image).astype(np.float32)
    low, high = np.nanpercentile(pixels, [0.5, 99.5])
    value_range = max(float(high - low), 1e-9)
    return Image.fromarray(
        (np.clip(np.nan_to_num((pixels - low) / value_range), 0, 1) * 255).astype(np.uint8)
    )


def flatten_on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image).convert("RGB")


def encode_jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
