"""The plain reader of COCO results and the JSON library read the same, and what is not plain is
left to the library."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toys
from pellucid import _native as kernel
from pellucid.core.errors import PellucidError
from pellucid.formats.probe import ReadOptions, probe_source
from pellucid.formats.readers import coco_results

NUMBER = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**17), 10**17),
    st.decimals(-1000, 1000, places=9).map(float),
)
RECORD = st.fixed_dictionaries(
    {
        "image_id": st.integers(-(10**12), 10**12),
        "category_id": st.integers(0, 90),
        "score": NUMBER,
        "bbox": st.tuples(NUMBER, NUMBER, NUMBER, NUMBER),
    },
    optional={
        "id": st.integers(),
        "note": st.text("abc {}[],:", max_size=8),
        "segmentation": st.dictionaries(st.sampled_from("ab"), st.lists(st.booleans())),
    },
)


@pytest.fixture(autouse=True)
def built():
    if kernel.library is None:
        pytest.fail("the kernel was not built here: is there a C compiler?")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(RECORD, max_size=12), indent=st.sampled_from([None, 1]), shuffled=st.randoms()
)
def test_the_same_columns(records, indent, shuffled, tmp_path):
    written = [dict(shuffled.sample(list(record.items()), len(record))) for record in records]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(written, indent=indent))
    found = coco_results.parse_columns_native(file)
    assert found is not None
    columns, _ = found
    assert columns["image"].tolist() == [record["image_id"] for record in records]
    assert columns["concept"].tolist() == [record["category_id"] for record in records]
    assert columns["score"].tolist() == [float(record["score"]) for record in records]
    assert columns["box"].tolist() == [
        [float(side) for side in record["bbox"]] for record in records
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    digits=st.integers(0, 10**19 - 1),
    places=st.integers(0, 40),
    exponent=st.integers(-330, 300),
    minus=st.booleans(),
)
def test_numbers_are_parsed_like_python(digits, places, exponent, minus, tmp_path):
    text = f"{digits:041d}".lstrip("0") or "0"
    text = text.rjust(places + 1, "0")
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    for number in (text, f"{text}e{exponent}"):
        signed = "-" + number if minus else number
        if abs(float(signed)) < float("inf"):
            file = tmp_path / "one.json"
            file.write_text(
                f'[{{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, {signed}], "score": '
                f"{signed}}}]"
            )
            columns, _ = coco_results.parse_columns_native(file)
            assert columns["score"].tolist() == [float(signed)]
            assert np.signbit(columns["score"][0]) == minus


PLAIN = {"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{**PLAIN, "image_id": "000000000001"}]),
        json.dumps([{**PLAIN, "image_id": 1.5}]),
        json.dumps([{**PLAIN, "file_name": "a.jpg"}]),
        json.dumps([{**PLAIN, "score": None}]),
        json.dumps([{**PLAIN, "score": float("nan")}]),
        json.dumps([{**PLAIN, "bbox": [1, 2, 3]}]),
        json.dumps([{**PLAIN, "bbox": [1, 2, 3, 4, 5]}]),
        json.dumps([{**PLAIN, "note": 'a "quoted" word'}]),
        json.dumps([{"image_id": 1}]),
        json.dumps({"results": [PLAIN]}),
        json.dumps([PLAIN])[:-1],
        json.dumps([PLAIN]) + "]",
        json.dumps([PLAIN]).replace("1", "01", 1),
        json.dumps([PLAIN, PLAIN]).replace("}, {", "} {"),
        json.dumps([PLAIN])[:-2] + ', "score": 0.7}]',
        "[,]",
        "[",
        "[1]",
        "[{}]",
        "\ufeff" + json.dumps([PLAIN]),
    ],
)
def test_unusual_json_falls_back_to_the_library(text, tmp_path):
    file = tmp_path / "odd.json"
    file.write_text(text)
    assert coco_results.parse_columns_native(file) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_fail_safely(data, tmp_path):
    good = json.dumps([PLAIN, {**PLAIN, "segmentation": {"a": [True, None, 1e5]}}] * 3).encode()
    text = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "damaged.json"
    file.write_bytes(bytes(text))
    try:
        ours = coco_results.parse_columns_native(file)
        theirs = json.loads(bytes(text)) if ours else None
    except (PellucidError, ValueError):
        assert ours is None or b"\\" not in text
        return
    if ours is not None:
        assert ours[0]["score"].tolist() == [float(record["score"]) for record in theirs]


def test_chunks_of_a_large_file_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_results, "PART", 1 << 10)
    records = [
        {**PLAIN, "image_id": row, "score": row / 1000, "note": "},{" if row % 3 else "x"}
        for row in range(1_000)
    ]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(records))
    found = coco_results.parse_columns_native(file)
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps([PLAIN | {"image_id": row} for row in range(1_000)]))
    assert coco_results.parse_columns_native(plain)[0]["image"].tolist() == list(range(1_000))
    assert coco_results.parse_results(file).score.tolist() == [row / 1000 for row in range(1_000)]
    assert found is None or found[0]["image"].tolist() == list(
        range(1_000)
    )  # a string that looks like an end may mislead; it is noticed


def test_file_that_ends_at_a_chunk_boundary(tmp_path, monkeypatch):
    text = json.dumps([PLAIN] * 20)
    monkeypatch.setattr(coco_results, "PART", len(text) // 3 + 1)
    for spaces in range(8):
        file = tmp_path / "results.json"
        file.write_text(text + " " * spaces)
        assert len(coco_results.parse_columns_native(file)[0]["score"]) == 20


def test_keypoints_of_results_without_annotated_ones_are_named(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path))
    record = {"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9}
    points = {"keypoints": [12, 12, 2]}
    notes = view.start("m").add_predictions(toys.results(tmp_path, [record | points]))
    (note,) = [note for note in notes if note.kind == "geometry"]
    assert note.message.startswith("predictions have keypoints, annotations have none")
    del record["bbox"], points["keypoints"]
    with pytest.raises(PellucidError, match=r"found 0 numbers"):
        view.start("n").add_predictions(toys.results(tmp_path, [record | points]))


def test_an_error_that_the_parser_cuts_within_a_character(tmp_path):
    odd = [[[], 1.5567458209272689e109, [None, None, "0\x07\x80\x80"]], 1, 2, 3]
    rows = [{"image_id": 1, "category_id": 1, "bbox": odd, "score": 0.5}]
    path = toys.write(tmp_path / "results.json", json.dumps(rows))
    with pytest.raises(PellucidError, match=r"expected `float`.*bbox"):
        coco_results.read(probe_source(path), ReadOptions("detection"))
