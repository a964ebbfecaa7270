"""What a list can be filtered by, and that the filters it offers select what it counted."""

import numpy as np
import pytest

import pellucid
from pellucid.core.tables import SPLITS
from pellucid.results import property_ranges as module
from pellucid.results.property_ranges import property_ranges


@pytest.fixture
def version(tmp_path):
    chance = np.random.default_rng(2)
    images = [f"{number}.png" for number in range(60)]
    table = {
        "image": images,
        "concept": ["dent", "rust"] * 30,
        "x": [5.0] * 60,
        "y": [5.0] * 60,
        "width": chance.integers(10, 60, 60).astype(float),
        "height": [20.0] * 60,
        "weather": chance.choice(["rain", "a|b", "sun"], 60).tolist(),
        "speed": chance.uniform(0, 90, 60).round(1).tolist(),
        "site": ["north"] * 60,
    }
    found = {key: table[key] for key in ("image", "concept", "x", "y", "width", "height")}
    view, _ = pellucid.open(tmp_path / "w").add("v", table)
    version = view.start("m")
    version.add_predictions(found | {"score": chance.random(60)})
    return version


def ranges_of(version, tab="all"):
    results = version.results()
    selection = results.selection(tab, SPLITS.index("validation"), None, results.thresholds, False)
    rows = selection.all_rows()
    return property_ranges(results.evaluation, rows, selection.shows_annotations), len(rows)


def test_categories_and_numbers_select_what_is_counted(version):
    found, total = ranges_of(version)
    assert found.looked_at == total == 60
    by_name = {one.name: one for one in found.properties}
    assert "site" not in by_name, "one value alone separates nothing"
    weather = by_name["weather"]
    assert [one.count for one in weather.values] == sorted(
        (one.count for one in weather.values), reverse=True
    )
    results = version.results()
    for one in weather.values:
        encoded = one.value.replace("|", "%7C")
        query = pellucid.ListQuery("all", filters=(f"where:weather={encoded}",))
        assert len(results.gallery(query)) == one.count
    speed = by_name["speed"]
    assert sum(speed.bins) == 60
    middle = speed.low + (speed.high - speed.low) * 12 / len(speed.bins)
    query = pellucid.ListQuery("all", filters=(f"where:speed=..{middle!r}",))
    assert len(results.gallery(query)) == sum(speed.bins[:12])


def test_large_lists_are_sampled(version, monkeypatch):
    monkeypatch.setattr(module, "MAX_SAMPLE", 25)
    found, _ = ranges_of(version)
    assert found.looked_at == 20
    assert ranges_of(version, "missing")[0].looked_at == ranges_of(version, "missing")[1] == 0
