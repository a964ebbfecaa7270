"""Pictures of every sort become a crop, or say what is wrong; none takes the server down."""

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import toys
from pellucid.images.crop_cache import CropCache
from pellucid.images.crop_region import box_crop_region
from pellucid.images.crops import render_crop
from pellucid.images.errors import UnreadableImageError
from pellucid.images.sizes import display_size


def opened(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def near(colour, expected, most=12):
    return np.abs(np.array(colour, int) - expected).max() <= most


@pytest.mark.parametrize(
    ("name", "mode", "colour", "expected"),
    [
        ("rgb.png", "RGB", (200, 40, 40), (200, 40, 40)),
        ("rgb.jpg", "RGB", (200, 40, 40), (200, 40, 40)),
        ("grey.png", "L", 128, (128, 128, 128)),
        ("grey.jpg", "L", 128, (128, 128, 128)),
        ("bits.png", "1", 1, (255, 255, 255)),
        ("cmyk.jpg", "CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("clear.png", "RGBA", (200, 40, 40, 0), (255, 255, 255)),
        ("palette.gif", "P", 0, (0, 0, 0)),
        ("rgb.webp", "RGB", (200, 40, 40), (200, 40, 40)),
        ("rgb.bmp", "RGB", (200, 40, 40), (200, 40, 40)),
    ],
)
def test_colour_modes_are_converted(tmp_path, name, mode, colour, expected):
    path = toys.picture(tmp_path / name, 64, 48, mode, colour)
    shown = opened(render_crop(str(path), None, 320))
    assert shown.size == (64, 48)
    assert near(shown.getpixel((30, 20)), expected)


def test_16_bit_images_are_stretched(tmp_path):
    ramp = np.linspace(1000, 4000, 64 * 48).reshape(48, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    shown = np.asarray(opened(render_crop(str(tmp_path / "deep.png"), None, 320)))[..., 0]
    assert shown[0, 0] < 10
    assert shown[-1, -1] > 245
    assert (np.diff(shown.mean(1)) >= 0).all()


def test_animation_shows_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (64, 48), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert near(
        opened(render_crop(str(tmp_path / "a.gif"), None, 320)).getpixel((9, 9)), (200, 0, 0)
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_orientation_is_applied(tmp_path, orientation, name):
    """Stored so that, turned as EXIF says, the red corner is at the left top and the green one
    at the right top."""
    upright = Image.new("RGB", (400, 240), (10, 10, 10))
    upright.paste((220, 0, 0), (0, 0, 80, 80))
    upright.paste((0, 220, 0), (320, 0, 400, 80))
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / name, exif=exif)
    assert display_size(str(tmp_path / name)) == (400, 240)
    for size in (400, 100):
        shown = opened(render_crop(str(tmp_path / name), None, size))
        assert shown.size == (size, size * 240 // 400)
        assert near(shown.getpixel((size // 10, size // 10)), (220, 0, 0), 30)
        assert near(shown.getpixel((size - size // 10, size // 10)), (0, 220, 0), 30)
    corner = opened(render_crop(str(tmp_path / name), (330, 10, 60, 60), 100))
    assert near(corner.getpixel((30, 30)), (0, 220, 0), 30)


def test_crop_equals_the_requested_region(tmp_path):
    y, x = np.mgrid[0:600, 0:800]
    Image.fromarray(np.stack([x // 4, y // 3, x * 0 + 50], -1).astype(np.uint8)).save(
        tmp_path / "a.jpg", quality=95, subsampling=0
    )
    for region in (
        (100, 60, 200, 200),
        (0, 0, 40, 40),
        (700, 500, 100, 100),
        (-50, -50, 100, 100),
        (790, 590, 999, 999),
    ):
        shown = np.asarray(opened(render_crop(str(tmp_path / "a.jpg"), region, 160))).astype(int)
        left, top = max(0, region[0]), max(0, region[1])
        right, bottom = min(800, region[0] + region[2]), min(600, region[1] + region[3])
        assert abs(shown[..., 0].mean() - (left + right - 1) / 8) < 2.5
        assert abs(shown[..., 1].mean() - (top + bottom - 1) / 6) < 2.5
        assert max(shown.shape[:2]) <= 160


def broken(folder, case):
    path = folder / "a.jpg"
    if case == "missing":
        return path
    if case == "a folder":
        path.mkdir()
    elif case == "empty":
        path.touch()
    elif case == "a text":
        path.write_text("this is no picture")
    elif case == "cut short":
        toys.picture(path, 300, 300, "RGB", (9, 99, 200))
        path.write_bytes(path.read_bytes()[:400])
    elif case == "broken PNG":
        toys.picture(folder / "a.png", 300, 300)
        data = (folder / "a.png").read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif case == "a bomb":
        head = toys.picture(folder / "a.bmp", 4, 4).read_bytes()
        path.write_bytes(head[:18] + (60_000).to_bytes(4, "little") * 2 + head[26:])
    return path


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("missing", "not found"),
        ("a folder", "corrupt or truncated file"),
        ("empty", "unsupported image format"),
        ("a text", "unsupported image format"),
        ("cut short", "corrupt or truncated file"),
        ("broken PNG", "corrupt or truncated file"),
        ("a bomb", "too large"),
    ],
)
def test_unreadable_images_give_a_reason(tmp_path, case, said):
    with pytest.raises(UnreadableImageError, match=said):
        render_crop(str(broken(tmp_path, case)), None, 320)


@given(
    box=st.tuples(*[st.floats(-500, 2000)] * 2, *[st.floats(0, 3000)] * 2),
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
)
def test_crop_regions_stay_inside_the_image_and_contain_the_box(box, width, height):
    left, top, across, down = box_crop_region(box, width, height)
    assert 0 <= left <= left + across <= width
    assert 0 <= top <= top + down <= height
    assert across >= 1
    assert down >= 1
    for start, length, begin, size, limit in (
        (box[0], box[2], left, across, width),
        (box[1], box[3], top, down, height),
    ):
        if start >= 0 and start + length <= limit:
            assert begin <= start + 1
            assert begin + size >= start + length - 1


def test_cache_stays_within_its_limit_and_evicts_the_oldest(tmp_path):
    path = toys.picture(tmp_path / "a.jpg", 400, 400, "RGB", (9, 99, 200))
    size = len(render_crop(str(path), (0, 0, 100, 100), 100))
    cache = CropCache(tmp_path / "crops", max_bytes=size * 20)
    for number in range(200):
        cache.crop(str(path), (number, 0, 100, 100), 100)
        held = sum(file.stat().st_size for file in (tmp_path / "crops").rglob("*.jpg"))
        assert held <= size * 21
    assert held >= size * 10


def test_cache_is_used_until_the_image_changes(tmp_path):
    path = toys.picture(tmp_path / "a.png", 50, 50, "RGB", (200, 0, 0))
    cache = CropCache(tmp_path / "crops")
    first = cache.crop(str(path), None, 100)
    assert CropCache(tmp_path / "crops").crop(str(path), None, 100) == first
    assert len(list((tmp_path / "crops").rglob("*.jpg"))) == 1
    toys.picture(path, 52, 50, "RGB", (0, 200, 0))
    assert near(opened(cache.crop(str(path), None, 100)).getpixel((9, 9)), (0, 200, 0))


def test_unwritable_cache_is_ignored(tmp_path):
    path = toys.picture(tmp_path / "a.png", 50, 50, "RGB", (200, 0, 0))
    (tmp_path / "file").touch()
    assert CropCache(tmp_path / "file" / "crops").crop(str(path), None, 100)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_a_turned_image(tmp_path, orientation):
    """The same pixels as of the upright image."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 255, (6, 10, 3), np.uint8)
    upright = Image.fromarray(np.kron(blocks, np.ones((40, 40, 1), np.uint8)))
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    shown = opened(render_crop(str(tmp_path / "a.png"), (80, 40, 120, 80), 320))
    expected = upright.crop((80, 40, 200, 120))
    assert shown.size == (120, 80)
    for x in range(20, 120, 40):
        for y in range(20, 80, 40):
            assert near(shown.getpixel((x, y)), expected.getpixel((x, y)), 20)


MODES = ["P", "RGBA", "LA", "I;16", "CMYK", "1"]


@pytest.mark.parametrize("mode", MODES)
def test_large_images_are_scaled_strip_by_strip(tmp_path, mode):
    """In several strips as in one: a ramp stays a ramp."""
    ramp = np.linspace(0, 255, 3_000)[:, None] * np.ones((1, 2_000))
    if mode == "I;16":
        image = Image.fromarray((ramp * 200).astype(np.uint16))
    else:
        image = Image.fromarray(ramp.astype(np.uint8)).convert(mode)
    name = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(name)
    shown = np.asarray(opened(render_crop(str(name), None, 300)).convert("L"), float)
    assert shown.shape == (300, 200)
    rows = shown.mean(1)
    assert rows[0] < 12
    assert rows[-1] > 243
    assert (np.diff(rows) > -12).all()


PEAK = """
import resource, sys, threading
from pellucid.images.errors import UnreadableImageError
from pellucid.images.crops import render_crop
from pellucid.images.sizes import display_sizes
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def cut(path):
    try:
        render_crop(path, None, 320)
    except UnreadableImageError as problem:
        print(problem)
paths = sys.argv[2:]
if sys.argv[1] == "sizes":
    print(display_sizes(paths))
else:
    threads = [threading.Thread(target=cut, args=[path]) for path in paths]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak_megabytes(what, *paths):
    """Memory beyond that of the program itself, and what it printed."""
    command = [sys.executable, "-c", PEAK, what, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    return int(last), lines


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Small files of many pixels, in several modes."""
    folder = tmp_path_factory.mktemp("bombs")
    for mode, side in (("RGB", 7_600), ("P", 13_300), ("RGBA", 7_600), ("L", 13_300)):
        Image.new(mode, (side, side)).save(folder / f"{mode}.png", compress_level=1)
    Image.new("RGB", (13_300, 13_300)).save(folder / "beyond.png", compress_level=1)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "L"])
def test_the_largest_images_take_bounded_memory(bombs, mode):
    peak, problems = peak_megabytes("crops", bombs / f"{mode}.png")
    assert problems == []
    assert peak < 330


@pytest.mark.slow
def test_four_large_images_at_once_share_a_budget(bombs):
    peak, problems = peak_megabytes(
        "crops", *(bombs / f"{m}.png" for m in ("RGB", "P", "RGBA", "L"))
    )
    assert problems == []
    assert peak < 800


@pytest.mark.slow
def test_sizes_are_read_without_decoding(bombs):
    peak, (sizes,) = peak_megabytes("sizes", *sorted(bombs.glob("*.png")))
    assert "(13300, 13300)" in sizes
    assert peak < 60


def test_too_large_an_image_says_how_large(tmp_path):
    Image.new("RGB", (9_000, 9_000)).save(tmp_path / "a.png", compress_level=1)
    with pytest.raises(UnreadableImageError, match=r"9,000 × 9,000 pixels take 308 MB"):
        render_crop(str(tmp_path / "a.png"), None, 320)
    assert display_size(str(tmp_path / "a.png")) == (9_000, 9_000)


def test_a_large_jpeg_is_scaled_while_it_is_decoded(tmp_path):
    Image.new("RGB", (9_000, 9_000), (200, 40, 40)).save(tmp_path / "a.jpg")
    shown = opened(render_crop(str(tmp_path / "a.jpg"), None, 320))
    assert near(shown.getpixel((160, 160)), (200, 40, 40))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_is_turned_once(tmp_path, orientation):
    """Pillow turns TIFF itself."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (40, 20), "white")
    stored.paste((255, 0, 0), (0, 0, 10, 10))
    for ending in ("png", "tif"):
        stored.save(tmp_path / f"a.{ending}", exif=exif)
    sizes = [display_size(str(tmp_path / f"a.{ending}")) for ending in ("png", "tif")]
    assert sizes[0] == sizes[1]
    for region in ((0, 0, 5, 5), (sizes[0][0] - 5, sizes[0][1] - 5, 5, 5), None):
        png, tif = (
            np.asarray(opened(render_crop(str(tmp_path / f"a.{ending}"), region, 32)), int)
            for ending in ("png", "tif")
        )
        assert np.abs(png - tif).max() <= 12


def test_flat_jpeg_and_corrupt_exif(tmp_path):
    Image.new("RGB", (500, 1), (200, 40, 40)).save(tmp_path / "flat.jpg")
    assert opened(render_crop(str(tmp_path / "flat.jpg"), None, 32)).size == (32, 1)
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png", exif=b"Exif\0\0garbage")
    assert display_size(str(tmp_path / "a.png")) == (20, 10)
    assert opened(render_crop(str(tmp_path / "a.png"), None, 32)).size == (20, 10)
