"""Tables with a column for each concept whose cells are no numbers, and boxes in another unit than
their columns say."""

import numpy as np
import pytest

import pellucid
import toys
from pellucid import PellucidError
from pellucid.formats.errors import BoxFormatRequiredError


@pytest.mark.parametrize(
    ("there", "absent"), [("x", ""), ("X", "-"), ("✓", "✗"), ("positive", "negative"), ("1", "?")]
)
def test_marks_of_concepts_are_named(tmp_path, there, absent):
    rows = [
        f"im{n}.jpg,{there if n % 2 else absent},{absent if n % 3 else there}" for n in range(9)
    ]
    source = toys.write(tmp_path / "t.csv", "\n".join(["image,cat,dog", *rows]) + "\n")
    with pytest.raises(PellucidError, match="as if each were of a concept"):
        pellucid.open(tmp_path / "w").add("v", source)


def test_boxes_in_percent_are_read_by_the_form_that_the_message_names(tmp_path):
    random = np.random.default_rng(1)
    corners = np.sort(random.uniform(0, 100, (40, 2, 2)), axis=1).reshape(40, 4)
    corners[0] = [0, 0, 100, 100]
    rows = [f"im{n}.jpg,dog,{','.join(map(str, box))},640,480" for n, box in enumerate(corners)]
    header = "image,label,xmin,ymin,xmax,ymax,image_width,image_height"
    source = toys.write(tmp_path / "t.csv", "\n".join([header, *rows]) + "\n")
    with pytest.raises(BoxFormatRequiredError, match="--boxes xyxy-percent"):
        pellucid.open(tmp_path / "w").add("v", source)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, boxes="xyxy-percent")
    box = view.annotation_tables[1].box
    expected = corners * np.array([6.4, 4.8, 6.4, 4.8])
    expected[:, 2:] -= expected[:, :2]
    assert np.allclose(sorted(box.tolist()), sorted(expected.tolist()))
