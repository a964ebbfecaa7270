"""Names and numbers of images as programs write them."""

import pytest

import pellucid
import toys

ROW = "{image},{label},{score},10,10,50,40\n"
HEADER = "image,label,score,x,y,width,height\n"


def add(folder, images, keys):
    """How many images a file of predictions with these keys is matched with."""
    truth = "image,label,x,y,width,height\n"
    truth += "".join(f"{image},dog,10,10,50,40\n" for image in images)
    view, _ = pellucid.open(folder / "w").add("v", toys.write(folder / "truth.csv", truth))
    rows = [ROW.format(image=key, label="dog", score=0.9) for key in keys]
    version = view.start("m")
    version.add_predictions(toys.write(folder / "p.csv", HEADER + "".join(rows)))
    return [item.image for item in version.gallery("matched", split="validation")]


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a b.jpg", "ü.jpg", "c#1.jpg"], ["a%20b.jpg", "%C3%BC.jpg", "c%231.jpg"]),
        (["a b.jpg", "ü.jpg"], ["val%2Fa%20b.jpg", "val%2F%C3%BC.jpg"]),
        ([f"img{n}.jpg" for n in range(100, 130)], [f"{n}.0" for n in range(100, 130)]),
        (["a.jpg", "b.png"], ["a_jpg.rf.0123456789abcdef.jpg", "b_png.rf.fedcba9876543210.jpg"]),
        (["a_jpg.rf.01234567.jpg", "b_jpg.rf.89abcdef.jpg"], ["a.jpg", "b.jpg"]),
        (["a.jpg", "b.jpg"], ["'a.jpg'", "'b.jpg'"]),
        (["a.jpg", "b.jpg"], ["b'a.jpg'", "b'b.jpg'"]),
        (["a.jpg", "b.jpg"], ["PosixPath('/data/a.jpg')", "PosixPath('/data/b.jpg')"]),
    ],
    ids=[
        *("URL", "URL with a folder", "numbers beside empty cells"),
        *("files of Roboflow", "before Roboflow", "quoted", "bytes", "paths of Python"),
    ],
)
def test_keys_are_matched_with_names(tmp_path, names, keys):
    assert sorted(add(tmp_path, names, keys)) == sorted(names)


@pytest.mark.parametrize("key", ["pred_{}.jpg", "{}_pred.jpg", "out/pred_{}.png"])
def test_text_that_all_names_have_in_addition_is_named(tmp_path, key):
    keys = [key.format(f"im{n}") for n in range(3)]
    with pytest.raises(pellucid.PellucidError, match=r"All 3 names .* '(pred_|_pred)' and match"):
        add(tmp_path, ["im0.jpg", "im1.jpg", "im2.jpg", "im3.jpg"], keys)


def test_several_files_of_roboflow_that_show_one_image_are_refused(tmp_path):
    keys = ["a_jpg.rf.01234567.jpg", "a_jpg.rf.89abcdef.jpg", "b_jpg.rf.89abcdef.jpg"]
    with pytest.raises(pellucid.PellucidError, match="none of its images match"):
        add(tmp_path, ["a.jpg", "b.jpg"], keys)


def test_names_with_percent_signs_are_names(tmp_path):
    names = ["50%20off.jpg", "50 off.jpg"]
    assert sorted(add(tmp_path, names, names)) == sorted(names)
