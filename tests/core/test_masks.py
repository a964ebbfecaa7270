"""Masks as a column of run lengths."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from pellucid.core.masks import (
    concat_masks,
    create_masks,
    decode_counts,
    encode_counts,
    is_valid_mask,
    no_masks,
)

RUNS = st.lists(st.integers(0, 1 << 30), min_size=1, max_size=12)


@given(counts=RUNS)
def test_run_lengths_survive_encoding(counts):
    assert decode_counts(encode_counts(counts)) == counts


@given(seed=st.integers(0, 1 << 32), height=st.integers(1, 30), width=st.integers(1, 30))
def test_the_text_is_that_of_pycocotools(seed, height, width):
    pixels = (np.random.default_rng(seed).random((height, width)) < 0.4).astype(np.uint8)
    text = coco_mask.encode(np.asfortranarray(pixels))["counts"].decode()
    counts = decode_counts(text)
    assert encode_counts(counts) == text
    assert is_valid_mask(counts, height, width)
    assert sum(counts[1::2]) == pixels.sum()


def test_a_text_that_ends_within_a_number_has_no_counts():
    assert decode_counts("0P") == []
    assert not is_valid_mask([], 1, 1)
    assert not is_valid_mask([3, 4], 2, 3)
    assert not is_valid_mask([7, -1], 2, 3)


@given(
    texts=st.lists(st.text("0123abc", max_size=5), max_size=8),
    rows=st.lists(st.integers(0, 7), max_size=12),
)
def test_rows_are_selected_as_from_a_list(texts, rows):
    rows = [row for row in rows if row < len(texts)]
    masks = create_masks(texts, np.arange(len(texts)), np.arange(len(texts)) + 1)
    selected = masks[np.array(rows, np.int64)]
    assert list(selected.texts()) == [texts[row] for row in rows]
    assert selected.height.tolist() == rows
    assert list(masks[1:3].texts()) == texts[1:3]
    is_odd = np.arange(len(texts)) % 2 == 1
    assert list(masks[is_odd].texts()) == texts[1::2]


def test_concatenated_masks_keep_their_texts():
    parts = [create_masks(["ab", "c"], [1, 2], [3, 4]), no_masks(2), create_masks(["d"], [5], [6])]
    whole = concat_masks(parts)
    assert list(whole.texts()) == ["ab", "c", "", "", "d"]
    assert whole.height.tolist() == [1, 2, 0, 0, 5]
    assert whole.counts(4) == b"d"
