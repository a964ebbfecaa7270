"""Pixel statistics of images and boxes (brightness, sharpness, noise, colour), and EXIF camera
and date.

blur: see estimate_blur, 2 sharp to 4 · noise: standard deviation in grey levels (Immerkaer,
1996) · brightness, contrast: mean and standard deviation of the grey levels, 0 to 255 ·
saturation: 0 to 255 · colour: the most frequent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.core.tables import Float64Array
from pellucid.images.crops import resize_region
from pellucid.images.decoding import open_with_pillow
from pellucid.images.decoding_budget import SMALL_IMAGE_BYTES, decoded_bytes, decoding
from pellucid.images.descriptors import (
    DESCRIPTOR_LENGTH,
    DESCRIPTOR_SIDE,
    compute_descriptor,
    expand_box,
)
from pellucid.images.header import SWAPPED_ORIENTATIONS, parse_exif, remaining_orientation

IMAGE_STATISTICS = ("brightness", "contrast", "saturation", "blur", "noise")
COLOUR_NAMES = (
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "black",
    "grey",
    "white",
)
HUE_LIMITS = (
    (0.04, "red"),
    (0.11, "orange"),
    (0.19, "yellow"),
    (0.45, "green"),
    (0.53, "cyan"),
    (0.72, "blue"),
    (0.83, "purple"),
    (0.94, "pink"),
    (1.01, "red"),
)
MAX_MEASURED_SIDE = 1024
"""Images are downscaled to this side before measuring."""
BLUR_SCALE = 4
MAX_BOX_COORDINATE = 1e6
MAX_BOX_WINDOW, MIN_BOX_SIDE = 256, 24
"""Maximum side of the central window measured in a box, in pixels; below the minimum side, blur
and noise are NaN."""

BoxSides = Sequence[float]
GreyPixels = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class ImageMeasurements:
    """Measurements of an image file.

    Attributes:
        statistics: float32 (n, IMAGE_STATISTICS), NaN if unknown
        colours: int8 (n,), index into COLOUR_NAMES, -1
        descriptors: float32. The first row is the whole image, then the boxes.
        camera, taken: from EXIF, '' if missing
        taken: `YYYY-MM-DD HH`
    """

    statistics: GreyPixels
    colours: np.ndarray
    descriptors: GreyPixels
    camera: str = ""
    taken: str = ""


def load_measurements(location: str, boxes: Sequence[BoxSides]) -> ImageMeasurements:
    """boxes: left, top, width, height in displayed pixels. All NaN if the image cannot be read."""
    try:
        with open_with_pillow(location) as source_image:
            camera, taken = camera_and_time(source_image)
            is_sideways = remaining_orientation(source_image) in SWAPPED_ORIENTATIONS
            full_size = source_image.size[::-1] if is_sideways else source_image.size
            image = make_thumbnail(source_image)
    except Exception:  # decoders raise arbitrary exceptions on corrupt files
        return unknown_measurements(len(boxes) + 1)
    scale = image.width / max(1, full_size[0])
    region_measurements = [
        measure_region(image, None),
        *(
            measure_region(
                image,
                [
                    min(max(coordinate, -MAX_BOX_COORDINATE), MAX_BOX_COORDINATE) * scale
                    for coordinate in box
                ],
            )
            for box in boxes
        ),
    ]
    statistics, colours, descriptors = zip(*region_measurements, strict=True)
    return ImageMeasurements(
        np.array(statistics, np.float32),
        np.array(colours, np.int8),
        np.array(descriptors, np.float32),
        camera,
        taken,
    )


def make_thumbnail(image: Any) -> Any:
    """The whole image, upright and in RGB, at most MAX_MEASURED_SIDE per side."""
    from PIL import Image, ImageOps

    image.draft("RGB", (MAX_MEASURED_SIDE, MAX_MEASURED_SIDE))
    if image.mode not in ("RGB", "L") and decoded_bytes(image) > SMALL_IMAGE_BYTES:
        return resize_region(image, None, MAX_MEASURED_SIDE).convert("RGB")
    with decoding(image):
        image.thumbnail((MAX_MEASURED_SIDE, MAX_MEASURED_SIDE), Image.Resampling.BOX)
    return ImageOps.exif_transpose(image).convert("RGB")


def unknown_measurements(region_count: int) -> ImageMeasurements:
    return ImageMeasurements(
        np.full((region_count, len(IMAGE_STATISTICS)), np.nan, np.float32),
        np.full(region_count, -1, np.int8),
        np.full((region_count, DESCRIPTOR_LENGTH), np.nan, np.float32),
    )


def camera_and_time(image: Any) -> tuple[str, str]:
    """Camera and time from EXIF."""
    exif = parse_exif(image)
    timestamp = str(exif.get_ifd(0x8769).get(0x9003) or exif.get(0x0132) or "")
    day, _, time = timestamp.partition(" ")
    is_valid_date = len(day) == 10 and day[:4].isdigit() and day[:4] > "0000"
    return str(exif.get(0x0110) or "").strip(
        "\x00 "
    ), f"{day.replace(':', '-')} {time[:2]}" if is_valid_date else ""


def measure_region(image: Any, box: BoxSides | None) -> tuple[list[float], int, Float64Array]:
    """The statistics of an image, or of the middle of a box, and the dominant colour and the
    descriptor of the box with its surroundings."""
    region, surroundings = image, image
    if box is not None:
        window = box_window(box, image.size)
        if window[2] <= window[0] or window[3] <= window[1]:
            return [np.nan] * len(IMAGE_STATISTICS), -1, np.full(DESCRIPTOR_LENGTH, np.nan)
        left, top, width, height = expand_box(tuple(box))
        region = image.crop(window)
        surroundings = image.crop((left, top, left + width, top + height))
    descriptor = compute_descriptor(
        np.asarray(surroundings.resize((DESCRIPTOR_SIDE, DESCRIPTOR_SIDE)), np.float64) / 255
    )
    colour = dominant_colour(np.asarray(surroundings.resize((12, 12)), np.float32) / 255)
    return measure_pixels(np.asarray(region, np.float32)), colour, descriptor


def box_window(box: BoxSides, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a box that is measured, at most MAX_BOX_WINDOW wide and high around its centre:
    left, top, right, bottom in whole pixels."""
    left, top, width, height = box
    centre_x, centre_y = left + width / 2, top + height / 2
    half_width, half_height = min(width, MAX_BOX_WINDOW) / 2, min(height, MAX_BOX_WINDOW) / 2
    return (
        max(0, int(centre_x - half_width)),
        max(0, int(centre_y - half_height)),
        min(image_size[0], int(np.ceil(centre_x + half_width))),
        min(image_size[1], int(np.ceil(centre_y + half_height))),
    )


def measure_pixels(pixels: GreyPixels) -> list[float]:
    """IMAGE_STATISTICS of red, green and blue pixels; blur and noise are NaN in small regions."""
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = pixels.min(axis=2), pixels.max(axis=2)
    saturation = np.divide(255 * (high - low), high, out=np.zeros_like(high), where=high > 0)
    is_large_enough = min(grey.shape) >= MIN_BOX_SIDE
    return [
        float(grey.mean()),
        float(grey.std()),
        float(saturation.mean()),
        estimate_blur(grey) if is_large_enough else np.nan,
        estimate_noise(grey) if is_large_enough else np.nan,
    ]


def estimate_blur(grey: GreyPixels) -> float:
    """Ratio of the steepest gradients after and before downscaling by BLUR_SCALE: about 2 for
    sharp edges, approaching BLUR_SCALE for blurred ones. Nearly independent of content,
    brightness and noise."""
    height, width = (side // BLUR_SCALE * BLUR_SCALE for side in grey.shape)
    downscaled = (
        grey[:height, :width]
        .reshape(height // BLUR_SCALE, BLUR_SCALE, width // BLUR_SCALE, BLUR_SCALE)
        .mean(axis=(1, 3))
    )
    fine_gradient = steepest_gradient(smooth(smooth(grey).T).T)
    return steepest_gradient(downscaled) / fine_gradient if fine_gradient > 0 else float(BLUR_SCALE)


def smooth(grey: GreyPixels) -> GreyPixels:
    return (grey[:-2] + 2 * grey[1:-1] + grey[2:]) / 4


def steepest_gradient(grey: GreyPixels) -> float:
    vertical, horizontal = (
        (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2,
        (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2,
    )
    return float(np.percentile(np.hypot(vertical, horizontal), 99))


def estimate_noise(grey: GreyPixels) -> float:
    """Noise estimate from the difference of two Laplacians, which suppresses edges."""
    vertical = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    second_difference = vertical[:, :-2] - 2 * vertical[:, 1:-1] + vertical[:, 2:]
    return float(np.abs(second_difference).mean() * np.sqrt(np.pi / 2) / 6)


def dominant_colour(pixels: Float64Array) -> int:
    """The most frequent colour, by hue unless neutral."""
    high, low = pixels.max(axis=2), pixels.min(axis=2)
    chroma = high - low
    red, green, blue = np.moveaxis(pixels, 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        green_blue_hue = np.where(
            high == green, (blue - red) / chroma + 2, (red - green) / chroma + 4
        )
        hue = np.where(high == red, (green - blue) / chroma % 6, green_blue_hue) / 6
    is_neutral = (chroma < 0.15 * high) | (high < 0.2)
    hue_limits = np.array([hue_limit for hue_limit, _ in HUE_LIMITS])
    hue_colours = np.array([COLOUR_NAMES.index(colour_name) for _, colour_name in HUE_LIMITS])
    neutral_colours = np.where(
        high < 0.25,
        COLOUR_NAMES.index("black"),
        np.where(high > 0.8, COLOUR_NAMES.index("white"), COLOUR_NAMES.index("grey")),
    )
    colour_indices = np.where(
        is_neutral,
        neutral_colours,
        hue_colours[np.searchsorted(hue_limits, np.nan_to_num(hue)).clip(0, len(hue_colours) - 1)],
    )
    return int(
        np.bincount(colour_indices.ravel().astype(np.int64), minlength=len(COLOUR_NAMES)).argmax()
    )
