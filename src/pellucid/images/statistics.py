"""What the pixels of a picture, and of the boxes in it, are like: light, sharpness, noise, colour; and who took it, when.

blur: see there, 2 sharp to 4 · noise: the standard deviation of Immerkaer, 1996, in grey levels ·
brightness, contrast: mean and standard deviation of the grey levels, 0 to 255 · saturation: 0 to 255 · colour: the commonest of a dozen.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.core.tables import Float64Array
from pellucid.images.descriptors import LENGTH, SIDE, around, described
from pellucid.images.locations import open_picture
from pellucid.images.sizes import picture_formats

LOOKS = ("brightness", "contrast", "saturation", "blur", "noise")
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "black", "grey", "white")
HUES = ((0.04, "red"), (0.11, "orange"), (0.19, "yellow"), (0.45, "green"), (0.53, "cyan"), (0.72, "blue"), (0.83, "purple"),
        (0.94, "pink"), (1.01, "red"))  # fmt: skip
LARGEST = 1024
"""Longer pictures are looked at smaller."""
STEP = 4
FAR = 1e6
WINDOW, LEAST = 256, 24
"""Boxes are looked at in their middle, up to this many pixels a side; smaller ones than the second tell nothing of blur or noise."""

Box = Sequence[float]
Grey = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Look:
    """looks: float32 (n, LOOKS), NaN where they cannot be told · colour: int8 (n,), a place in COLOURS, -1 · likeness: float32 (n, LENGTH).
    The first row is the whole picture's, then the boxes'. camera, taken: '' where the file does not say (EXIF); taken: `YYYY-MM-DD HH`."""

    looks: Grey
    colour: np.ndarray
    likeness: Grey
    camera: str = ""
    taken: str = ""


def look(location: str, boxes: Sequence[Box]) -> Look:
    """boxes: left, top, width, height in displayed pixels. All NaN where the picture cannot be read."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings(), open_picture(location) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=picture_formats()) as opened:
                camera, taken = told(opened)
                turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                full = opened.size[::-1] if turned else opened.size
                opened.draft("RGB", (LARGEST, LARGEST))
                picture = ImageOps.exif_transpose(opened)
                picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
                picture = picture.convert("RGB")
    except Exception:  # decoders of damaged files raise whatever they stumbled over
        return nothing(len(boxes) + 1)
    scale = picture.width / max(1, full[0])
    rows = [seen(picture, None), *(seen(picture, [min(max(side, -FAR), FAR) * scale for side in box]) for box in boxes)]
    looks, colour, likeness = zip(*rows, strict=True)
    return Look(np.array(looks, np.float32), np.array(colour, np.int8), np.array(likeness, np.float32), camera, taken)


def nothing(number: int) -> Look:
    return Look(
        np.full((number, len(LOOKS)), np.nan, np.float32), np.full(number, -1, np.int8), np.full((number, LENGTH), np.nan, np.float32)
    )


def told(picture: Any) -> tuple[str, str]:
    """Camera and time, as EXIF has them."""
    exif = picture.getexif()
    taken = str(exif.get_ifd(0x8769).get(0x9003) or exif.get(0x0132) or "")
    day, _, time = taken.partition(" ")
    known = len(day) == 10 and day[:4].isdigit() and day[:4] > "0000"
    return str(exif.get(0x0110) or "").strip("\x00 "), f"{day.replace(':', '-')} {time[:2]}" if known else ""


def seen(picture: Any, box: Box | None) -> tuple[list[float], int, Float64Array]:
    if box is None:
        part, near = picture, picture
    else:
        left, top, width, height = box
        middle, centre = left + width / 2, top + height / 2
        half, tall = min(width, WINDOW) / 2, min(height, WINDOW) / 2
        edges = (max(0, int(middle - half)), max(0, int(centre - tall)), min(picture.width, int(np.ceil(middle + half))),
                 min(picture.height, int(np.ceil(centre + tall))))  # fmt: skip
        if edges[2] <= edges[0] or edges[3] <= edges[1]:
            return [np.nan] * len(LOOKS), -1, np.full(LENGTH, np.nan)
        left, top, width, height = around(tuple(box))
        part, near = picture.crop(edges), picture.crop((left, top, left + width, top + height))
    pixels = np.asarray(part, np.float32)
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = pixels.min(axis=2), pixels.max(axis=2)
    saturation = np.divide(255 * (high - low), high, out=np.zeros_like(high), where=high > 0)
    fine = min(grey.shape) >= LEAST
    looks = [
        float(grey.mean()),
        float(grey.std()),
        float(saturation.mean()),
        blur(grey) if fine else np.nan,
        noise(grey) if fine else np.nan,
    ]
    likeness = described(np.asarray(near.resize((SIDE, SIDE)), np.float64) / 255)
    return looks, colour(np.asarray(near.resize((12, 12)), np.float32) / 255), likeness


def blur(grey: Grey) -> float:
    """How much steeper the edges are in a picture STEP times smaller, from the steepest of each: about 2 where they are sharp, towards
    STEP where they are wide. Neither what is shown nor how much light there is matters much, and noise hardly."""
    high, wide = (side // STEP * STEP for side in grey.shape)
    small = grey[:high, :wide].reshape(high // STEP, STEP, wide // STEP, STEP).mean(axis=(1, 3))
    fine = steepest(smoothed(smoothed(grey).T).T)
    return steepest(small) / fine if fine > 0 else float(STEP)


def smoothed(grey: Grey) -> Grey:
    return (grey[:-2] + 2 * grey[1:-1] + grey[2:]) / 4


def steepest(grey: Grey) -> float:
    down, across = (grey[2:, 1:-1] - grey[:-2, 1:-1]) / 2, (grey[1:-1, 2:] - grey[1:-1, :-2]) / 2
    return float(np.percentile(np.hypot(down, across), 99))


def noise(grey: Grey) -> float:
    """After the difference of two Laplacians, which edges hardly survive."""
    down = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    both = down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:]
    return float(np.abs(both).mean() * np.sqrt(np.pi / 2) / 6)


def colour(pixels: Float64Array) -> int:
    """The commonest, by hue where there is one."""
    high, low = pixels.max(axis=2), pixels.min(axis=2)
    range_ = high - low
    red, green, blue = np.moveaxis(pixels, 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        among_greens = np.where(high == green, (blue - red) / range_ + 2, (red - green) / range_ + 4)
        hue = np.where(high == red, (green - blue) / range_ % 6, among_greens) / 6
    plain = (range_ < 0.15 * high) | (high < 0.2)
    steps = np.array([edge for edge, _ in HUES])
    names = np.array([COLOURS.index(name) for _, name in HUES])
    grey = np.where(high < 0.25, COLOURS.index("black"), np.where(high > 0.8, COLOURS.index("white"), COLOURS.index("grey")))
    kind = np.where(plain, grey, names[np.searchsorted(steps, np.nan_to_num(hue)).clip(0, len(names) - 1)])
    return int(np.bincount(kind.ravel().astype(np.int64), minlength=len(COLOURS)).argmax())
