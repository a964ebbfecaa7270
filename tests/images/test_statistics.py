"""What pixels and EXIF say of a picture and of the boxes in it."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pellucid.images.statistics import COLOUR_NAMES, IMAGE_STATISTICS, load_measurements

CHANCE = np.random.default_rng(0)
BLUR, NOISE = IMAGE_STATISTICS.index("blur"), IMAGE_STATISTICS.index("noise")


def checks(side=160, step=16):
    """A chequered picture: sharp edges and nothing else."""
    y, x = np.mgrid[:side, :side] // step
    return Image.fromarray(np.where((x + y) % 2, 200, 60).astype(np.uint8)).convert("RGB")


def test_brightness_contrast_and_colour_equal_the_pixels(tmp_path):
    Image.new("RGB", (80, 60), (200, 30, 30)).save(tmp_path / "red.png")
    found = load_measurements(str(tmp_path / "red.png"), [[10, 10, 40, 40]])
    brightness = 0.299 * 200 + 0.587 * 30 + 0.114 * 30
    assert found.statistics[:, 0] == pytest.approx([brightness, brightness], abs=0.5)
    assert found.statistics[:, 1] == pytest.approx([0, 0], abs=1e-3)
    assert [COLOUR_NAMES[one] for one in found.colours] == ["red", "red"]


def test_blur_measure_ignores_noise_and_brightness(tmp_path):
    said = {}
    for name, picture in {
        "sharp": checks(),
        "soft": checks().filter(ImageFilter.GaussianBlur(1.5)),
        "blurred": checks().filter(ImageFilter.GaussianBlur(4)),
        "dark": checks().point(lambda value: value // 3),
        "noisy": Image.fromarray(
            (np.asarray(checks(), float) + CHANCE.normal(0, 5, (160, 160, 3)))
            .clip(0, 255)
            .astype(np.uint8)
        ),
    }.items():
        picture.save(tmp_path / f"{name}.png")
        said[name] = load_measurements(str(tmp_path / f"{name}.png"), []).statistics[0]
    assert said["sharp"][BLUR] < said["soft"][BLUR] < said["blurred"][BLUR]
    assert said["dark"][BLUR] == pytest.approx(said["sharp"][BLUR], rel=0.05)
    assert said["noisy"][BLUR] < said["soft"][BLUR]
    assert said["noisy"][NOISE] > 2
    assert said["noisy"][NOISE] > 3 * said["blurred"][NOISE]


def test_noise_measure_estimates_its_standard_deviation(tmp_path):
    for sigma in (4, 12):
        pixels = (128 + CHANCE.normal(0, sigma, (200, 200))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB").save(tmp_path / "n.png")
        assert load_measurements(str(tmp_path / "n.png"), []).statistics[0][NOISE] == pytest.approx(
            sigma, rel=0.1
        )


def test_camera_time_and_orientation_come_from_exif(tmp_path):
    """Boxes are in the picture as displayed: here turned by a quarter."""
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[:, :50] = 255  # its left half, which is on top once it is turned
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "X100", 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:17 13:45:10"
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    found = load_measurements(str(tmp_path / "a.jpg"), [[0, 0, 40, 45], [0, 55, 40, 45]])
    assert (found.camera, found.taken) == ("X100", "2024-05-17 13")
    assert [COLOUR_NAMES[one] for one in found.colours[1:]] == ["white", "black"]


def test_unreadable_images_have_unknown_statistics(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    found = load_measurements(
        str(tmp_path / "a.png"), [[1000, 1000, 5, 5], [1e300, -1e300, 4, 4], [0, 0, 6, 6]]
    )
    assert np.isnan(found.statistics[1:3]).all()
    assert np.isnan(found.statistics[3, [BLUR, NOISE]]).all()
    assert found.statistics[3, 0] == 0
    for missing in ("broken.jpg", "absent.jpg"):
        found = load_measurements(str(tmp_path / missing), [[1, 1, 2, 2]])
        assert np.isnan(found.statistics).all()
        assert found.statistics.shape == (2, len(IMAGE_STATISTICS))
        assert (found.camera, found.taken) == ("", "")
