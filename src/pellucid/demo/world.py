"""Synthetic blood smear images, drawn procedurally.

Red cells overlap, white cells hide others, some fields are out of focus, stain and light vary.
The drawn content is known, so annotations are exact until label errors are inserted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.core.tables import Float64Array

FIELD_WIDTH, FIELD_HEIGHT = 480, 360
CELLS = ("red cell", "infected cell", "white cell", "platelet")
CONDITIONS = ("healthy", "malaria", "many white cells", "many platelets")
FINDINGS = ("infected cells", "white cells", "platelets", "overlapping cells", "out of focus")
RADIUS = {
    "red cell": (19.0, 25.0),
    "infected cell": (20.0, 26.0),
    "white cell": (32.0, 42.0),
    "platelet": (5.5, 9.0),
}
MICROSCOPES = ("old", "new")

NUCLEUS = np.array([0.36, 0.16, 0.52])
CYTOPLASM = np.array([0.78, 0.74, 0.90])
HAEMOGLOBIN = np.array([0.86, 0.50, 0.50])


@dataclass(frozen=True)
class Cell:
    """A cell of a generated image.

    Attributes:
        concept: one of CELLS
        x, y: the centre in pixels
        radius: along x; y is `squeeze` times it
    """

    concept: str
    x: float
    y: float
    radius: float
    squeeze: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """[left, top, width, height], clipped to the image."""
        left, top = max(0.0, self.x - self.radius), max(0.0, self.y - self.radius * self.squeeze)
        right, bottom = (
            min(float(FIELD_WIDTH), self.x + self.radius),
            min(float(FIELD_HEIGHT), self.y + self.radius * self.squeeze),
        )
        return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


@dataclass(frozen=True)
class MicroscopeField:
    """One field of view: its content and its imaging conditions."""

    name: str
    condition: str
    cells: list[Cell]
    blur: float
    microscope: str
    stain: Float64Array
    seed: int
    findings: set[str] = field(default_factory=set)


def make_field(field_index: int, rng: np.random.Generator) -> MicroscopeField:
    """Generate the content of one image."""
    condition = CONDITIONS[int(rng.choice(4, p=[0.4, 0.25, 0.18, 0.17]))]
    counts = {
        "red cell": int(rng.integers(6, 15)),
        "infected cell": int(rng.integers(1, 5)) if condition == "malaria" else 0,
        "white cell": int(rng.integers(3, 6))
        if condition == "many white cells"
        else int(rng.random() < 0.3),
        "platelet": int(rng.integers(8, 15))
        if condition == "many platelets"
        else int(rng.integers(0, 4)),
    }
    cells: list[Cell] = []
    for concept in ("white cell", "infected cell", "red cell", "platelet"):
        for _ in range(counts[concept]):
            cell = place_cell(concept, cells, rng)
            if cell is not None:
                cells.append(cell)
    microscope = MICROSCOPES[int(rng.random() < 0.7)]
    is_blurred = rng.random() < (0.3 if microscope == "old" else 0.06)
    blur = float(rng.uniform(2.2, 3.6)) if is_blurred else float(rng.uniform(0.4, 0.9))
    stain = np.array([1.0, 1.0, 1.0]) + rng.uniform(-0.05, 0.05, 3)
    smear = MicroscopeField(
        f"smear-{field_index:03d}.jpg",
        condition,
        cells,
        blur,
        microscope,
        stain,
        int(rng.integers(1 << 30)),
    )
    smear.findings.update(visible_findings(smear))
    return smear


def place_cell(concept: str, cells: list[Cell], rng: np.random.Generator) -> Cell | None:
    """Place a cell with limited overlap of others; None if no free position was found."""
    min_radius, max_radius = RADIUS[concept]
    for _ in range(30):
        radius = float(rng.uniform(min_radius, max_radius))
        cell = Cell(
            concept,
            float(rng.uniform(4, FIELD_WIDTH - 4)),
            float(rng.uniform(4, FIELD_HEIGHT - 4)),
            radius,
            float(rng.uniform(0.85, 1.15)),
        )
        if all(
            np.hypot(cell.x - other_cell.x, cell.y - other_cell.y)
            > 0.7 * (radius + other_cell.radius)
            for other_cell in cells
        ):
            return cell
    return None


def visible_findings(smear: MicroscopeField) -> set[str]:
    concepts = [cell.concept for cell in smear.cells]
    findings = set()
    if "infected cell" in concepts:
        findings.add("infected cells")
    if "white cell" in concepts:
        findings.add("white cells")
    if concepts.count("platelet") >= 2:
        findings.add("platelets")
    if smear.blur > 2:
        findings.add("out of focus")
    large_cells = [cell for cell in smear.cells if cell.concept != "platelet"]
    close_pairs = sum(
        np.hypot(cell.x - other_cell.x, cell.y - other_cell.y)
        < 0.9 * (cell.radius + other_cell.radius)
        for cell_index, cell in enumerate(large_cells)
        for other_cell in large_cells[:cell_index]
    )
    if close_pairs >= 3:
        findings.add("overlapping cells")
    return findings


def draw_field(smear: MicroscopeField) -> np.ndarray:
    """Render the image, uint8 (height, width, 3)."""
    rng = np.random.default_rng(smear.seed)
    light = 0.965 + 0.05 * light_gradient(rng)
    canvas = np.array([0.965, 0.935, 0.905]) * light[..., None]
    for cell in sorted(smear.cells, key=lambda c: c.concept == "platelet"):
        paint_cell(canvas, cell, rng)
    canvas = gaussian_blur(canvas * smear.stain, smear.blur)
    canvas += 0.013 * rng.standard_normal((FIELD_HEIGHT, FIELD_WIDTH, 1), np.float32)
    return (np.clip(canvas, 0, 1) * 255).astype(np.uint8)


def light_gradient(rng: np.random.Generator) -> Float64Array:
    """Uneven illumination: a linear gradient."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : FIELD_HEIGHT * 1j, -1 : 1 : FIELD_WIDTH * 1j]
    return np.asarray(x * np.cos(angle) + y * np.sin(angle))


def paint_cell(canvas: Float64Array, cell: Cell, rng: np.random.Generator) -> None:
    """Draw a cell by multiplying its transmitted light into the canvas."""
    reach = int(cell.radius * 1.3) + 3
    left, right = max(0, int(cell.x) - reach), min(FIELD_WIDTH, int(cell.x) + reach)
    top, bottom = max(0, int(cell.y) - reach), min(FIELD_HEIGHT, int(cell.y) + reach)
    if left >= right or top >= bottom:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(float)
    dx, dy = (x - cell.x) / cell.radius, (y - cell.y) / (cell.radius * cell.squeeze)
    angle, distance = np.arctan2(dy, dx), np.hypot(dx, dy)
    wobble = 1 + sum(
        rng.uniform(-0.02, 0.02) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5)
    )
    distance = distance / wobble
    colour = {"white cell": white_cell_colour, "platelet": platelet_colour}.get(
        cell.concept, red_cell_colour
    )(dx, dy, distance, rng)
    if cell.concept == "infected cell":
        colour = colour * parasite_colour(dx, dy, rng)
    canvas[top:bottom, left:right] *= colour


def soft_edge(distance: Float64Array, radius: float, softness: float) -> Float64Array:
    """1 inside, 0 outside, with a soft transition."""
    return np.asarray(1 / (1 + np.exp(np.clip((distance - radius) / softness, -40, 40))))


def red_cell_colour(
    dx: Float64Array, dy: Float64Array, distance: Float64Array, rng: np.random.Generator
) -> Float64Array:
    inside = soft_edge(distance, 0.97, 0.03)
    pallor = 0.62 * np.exp(-((distance / rng.uniform(0.42, 0.56)) ** 2))
    depth = inside * (1 - pallor) * rng.uniform(0.85, 1.05)
    return np.asarray(1 - depth[..., None] * (1 - HAEMOGLOBIN))


def white_cell_colour(
    dx: Float64Array, dy: Float64Array, distance: Float64Array, rng: np.random.Generator
) -> Float64Array:
    body = soft_edge(distance, 0.97, 0.025)[..., None]
    colour = 1 - body * (1 - CYTOPLASM)
    lobes = int(rng.integers(1, 5))
    start_angle = rng.uniform(0, 2 * np.pi)
    nucleus = np.zeros_like(distance)
    for lobe in range(lobes):
        lobe_angle = start_angle + lobe * 1.5
        lobe_distance = 0.0 if lobes == 1 else 0.38
        lobe_radius = 0.72 if lobes == 1 else 0.36
        distance_to_lobe = np.hypot(
            dx - lobe_distance * np.cos(lobe_angle), dy - lobe_distance * np.sin(lobe_angle)
        )
        nucleus = np.maximum(nucleus, soft_edge(distance_to_lobe, lobe_radius, 0.03))
    grain = 1 + rng.normal(0, 0.05, distance.shape)
    return np.asarray(colour * (1 - (nucleus * 0.92 * grain)[..., None] * (1 - NUCLEUS)))


def platelet_colour(
    dx: Float64Array, dy: Float64Array, distance: Float64Array, rng: np.random.Generator
) -> Float64Array:
    inside = soft_edge(distance, 0.9, 0.12) * (0.75 + rng.normal(0, 0.12, distance.shape))
    return np.asarray(1 - np.clip(inside, 0, 1)[..., None] * (1 - np.array([0.60, 0.42, 0.70])))


def parasite_colour(dx: Float64Array, dy: Float64Array, rng: np.random.Generator) -> Float64Array:
    """A ring with a dot at a random position in the cell."""
    angle, centre_distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.4)
    x, y = centre_distance * np.cos(angle), centre_distance * np.sin(angle)
    distance = np.hypot(dx - x, dy - y)
    ring = np.exp(-(((distance - 0.24) / 0.075) ** 2))
    dot = soft_edge(np.hypot(dx - x - 0.22, dy - y), 0.12, 0.03)
    return np.asarray(1 - np.clip(0.75 * ring + 0.95 * dot, 0, 1)[..., None] * (1 - NUCLEUS))


def gaussian_blur(image: Float64Array, sigma: float) -> Float64Array:
    """Separable Gaussian blur."""
    radius = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    padded_rows = np.pad(image.astype(np.float32), [(radius, radius), (0, 0), (0, 0)], mode="edge")
    row_blurred = np.zeros(image.shape, np.float32)
    for shift, weight in enumerate(kernel):
        row_blurred += weight * padded_rows[shift : shift + FIELD_HEIGHT]
    padded_columns = np.pad(row_blurred, [(0, 0), (radius, radius), (0, 0)], mode="edge")
    blurred_image = np.zeros(image.shape, np.float32)
    for shift, weight in enumerate(kernel):
        blurred_image += weight * padded_columns[:, shift : shift + FIELD_WIDTH]
    return blurred_image.astype(np.float64)
