"""A small world to look at: blood smears under a microscope, drawn by arithmetic.

Red cells overlap, white cells hide others, some fields are out of focus, stains and light vary. What is drawn
is known exactly, so annotations are true until mistakes are planted in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.core.tables import Float64Array

WIDTH, HEIGHT = 480, 360
CELLS = ("red cell", "infected cell", "white cell", "platelet")
CONDITIONS = ("healthy", "malaria", "many white cells", "many platelets")
FINDINGS = ("infected cells", "white cells", "platelets", "overlapping cells", "out of focus")
RADIUS = {"red cell": (19.0, 25.0), "infected cell": (20.0, 26.0), "white cell": (32.0, 42.0), "platelet": (5.5, 9.0)}
MICROSCOPES = ("old", "new")

NUCLEUS = np.array([0.36, 0.16, 0.52])
CYTOPLASM = np.array([0.78, 0.74, 0.90])
HAEMOGLOBIN = np.array([0.86, 0.50, 0.50])


@dataclass(frozen=True)
class Cell:
    """concept: one of CELLS · x, y: the centre, in pixels · radius: along x; y is `squeeze` times it."""

    concept: str
    x: float
    y: float
    radius: float
    squeeze: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """[left, top, width, height], cut to the picture."""
        left, top = max(0.0, self.x - self.radius), max(0.0, self.y - self.radius * self.squeeze)
        right, bottom = min(float(WIDTH), self.x + self.radius), min(float(HEIGHT), self.y + self.radius * self.squeeze)
        return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


@dataclass(frozen=True)
class Field:
    """One field of view: what is in it and how it was photographed."""

    name: str
    condition: str
    cells: list[Cell]
    blur: float
    microscope: str
    stain: Float64Array
    seed: int
    findings: set[str] = field(default_factory=set)


def make_field(number: int, random: np.random.Generator) -> Field:
    """What one picture shows."""
    condition = CONDITIONS[int(random.choice(4, p=[0.4, 0.25, 0.18, 0.17]))]
    counts = {
        "red cell": int(random.integers(6, 15)),
        "infected cell": int(random.integers(1, 5)) if condition == "malaria" else 0,
        "white cell": int(random.integers(3, 6)) if condition == "many white cells" else int(random.random() < 0.3),
        "platelet": int(random.integers(8, 15)) if condition == "many platelets" else int(random.integers(0, 4)),
    }
    cells: list[Cell] = []
    for concept in ("white cell", "infected cell", "red cell", "platelet"):
        for _ in range(counts[concept]):
            cell = placed(concept, cells, random)
            if cell is not None:
                cells.append(cell)
    microscope = MICROSCOPES[int(random.random() < 0.7)]
    blurred = random.random() < (0.3 if microscope == "old" else 0.06)
    blur = float(random.uniform(2.2, 3.6)) if blurred else float(random.uniform(0.4, 0.9))
    stain = np.array([1.0, 1.0, 1.0]) + random.uniform(-0.05, 0.05, 3)
    made = Field(f"smear-{number:03d}.jpg", condition, cells, blur, microscope, stain, int(random.integers(1 << 30)))
    made.findings.update(findings_of(made))
    return made


def placed(concept: str, cells: list[Cell], random: np.random.Generator) -> Cell | None:
    """A cell somewhere it can be seen: cells overlap a little, never wholly; None where there is no room."""
    low, high = RADIUS[concept]
    for _ in range(30):
        radius = float(random.uniform(low, high))
        cell = Cell(
            concept, float(random.uniform(4, WIDTH - 4)), float(random.uniform(4, HEIGHT - 4)), radius, float(random.uniform(0.85, 1.15))
        )
        if all(np.hypot(cell.x - other.x, cell.y - other.y) > 0.7 * (radius + other.radius) for other in cells):
            return cell
    return None


def findings_of(made: Field) -> set[str]:
    concepts = [cell.concept for cell in made.cells]
    found = set()
    if "infected cell" in concepts:
        found.add("infected cells")
    if "white cell" in concepts:
        found.add("white cells")
    if concepts.count("platelet") >= 2:
        found.add("platelets")
    if made.blur > 2:
        found.add("out of focus")
    large = [cell for cell in made.cells if cell.concept != "platelet"]
    close = sum(
        np.hypot(one.x - other.x, one.y - other.y) < 0.9 * (one.radius + other.radius)
        for place, one in enumerate(large)
        for other in large[:place]
    )
    if close >= 3:
        found.add("overlapping cells")
    return found


def draw(made: Field) -> np.ndarray:
    """The picture, uint8 (HEIGHT, WIDTH, 3)."""
    random = np.random.default_rng(made.seed)
    light = 0.965 + 0.05 * ramp(random)
    canvas = np.array([0.965, 0.935, 0.905]) * light[..., None]
    for cell in sorted(made.cells, key=lambda one: one.concept == "platelet"):
        paint(canvas, cell, random)
    canvas = blurred(canvas * made.stain, made.blur)
    canvas += 0.013 * random.standard_normal((HEIGHT, WIDTH, 1), np.float32)
    return (np.clip(canvas, 0, 1) * 255).astype(np.uint8)


def ramp(random: np.random.Generator) -> Float64Array:
    """Uneven light: brighter on one side."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    return np.asarray(x * np.cos(angle) + y * np.sin(angle))


def paint(canvas: Float64Array, cell: Cell, random: np.random.Generator) -> None:
    """Lay a cell over what is there: light passes through, so colours multiply."""
    reach = int(cell.radius * 1.3) + 3
    left, right = max(0, int(cell.x) - reach), min(WIDTH, int(cell.x) + reach)
    top, bottom = max(0, int(cell.y) - reach), min(HEIGHT, int(cell.y) + reach)
    if left >= right or top >= bottom:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(float)
    dx, dy = (x - cell.x) / cell.radius, (y - cell.y) / (cell.radius * cell.squeeze)
    angle, distance = np.arctan2(dy, dx), np.hypot(dx, dy)
    wobble = 1 + sum(random.uniform(-0.02, 0.02) * np.cos(k * angle + random.uniform(0, 6.3)) for k in (2, 3, 5))
    distance = distance / wobble
    colour = {"white cell": white_cell, "platelet": platelet}.get(cell.concept, red_cell)(dx, dy, distance, random)
    if cell.concept == "infected cell":
        colour = colour * parasite(dx, dy, random)
    canvas[top:bottom, left:right] *= colour


def edge(distance: Float64Array, at: float, soft: float) -> Float64Array:
    """1 inside, 0 outside."""
    return np.asarray(1 / (1 + np.exp(np.clip((distance - at) / soft, -40, 40))))


def red_cell(dx: Float64Array, dy: Float64Array, distance: Float64Array, random: np.random.Generator) -> Float64Array:
    inside = edge(distance, 0.97, 0.03)
    pale = 0.62 * np.exp(-((distance / random.uniform(0.42, 0.56)) ** 2))
    depth = inside * (1 - pale) * random.uniform(0.85, 1.05)
    return np.asarray(1 - depth[..., None] * (1 - HAEMOGLOBIN))


def white_cell(dx: Float64Array, dy: Float64Array, distance: Float64Array, random: np.random.Generator) -> Float64Array:
    body = edge(distance, 0.97, 0.025)[..., None]
    colour = 1 - body * (1 - CYTOPLASM)
    lobes = int(random.integers(1, 5))
    start = random.uniform(0, 2 * np.pi)
    nucleus = np.zeros_like(distance)
    for lobe in range(lobes):
        turn = start + lobe * 1.5
        far = 0.0 if lobes == 1 else 0.38
        size = 0.72 if lobes == 1 else 0.36
        away = np.hypot(dx - far * np.cos(turn), dy - far * np.sin(turn))
        nucleus = np.maximum(nucleus, edge(away, size, 0.03))
    grain = 1 + random.normal(0, 0.05, distance.shape)
    return np.asarray(colour * (1 - (nucleus * 0.92 * grain)[..., None] * (1 - NUCLEUS)))


def platelet(dx: Float64Array, dy: Float64Array, distance: Float64Array, random: np.random.Generator) -> Float64Array:
    inside = edge(distance, 0.9, 0.12) * (0.75 + random.normal(0, 0.12, distance.shape))
    return np.asarray(1 - np.clip(inside, 0, 1)[..., None] * (1 - np.array([0.60, 0.42, 0.70])))


def parasite(dx: Float64Array, dy: Float64Array, random: np.random.Generator) -> Float64Array:
    """A ring with a dot, somewhere in the cell."""
    turn, far = random.uniform(0, 2 * np.pi), random.uniform(0.15, 0.4)
    x, y = far * np.cos(turn), far * np.sin(turn)
    away = np.hypot(dx - x, dy - y)
    ring = np.exp(-(((away - 0.24) / 0.075) ** 2))
    dot = edge(np.hypot(dx - x - 0.22, dy - y), 0.12, 0.03)
    return np.asarray(1 - np.clip(0.75 * ring + 0.95 * dot, 0, 1)[..., None] * (1 - NUCLEUS))


def blurred(picture: Float64Array, sigma: float) -> Float64Array:
    """Gaussian blur, one axis after the other."""
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    down = np.pad(picture.astype(np.float32), [(reach, reach), (0, 0), (0, 0)], mode="edge")
    between = np.zeros(picture.shape, np.float32)
    for shift, weight in enumerate(kernel):
        between += weight * down[shift : shift + HEIGHT]
    across = np.pad(between, [(0, 0), (reach, reach), (0, 0)], mode="edge")
    after = np.zeros(picture.shape, np.float32)
    for shift, weight in enumerate(kernel):
        after += weight * across[:, shift : shift + WIDTH]
    return after.astype(np.float64)
