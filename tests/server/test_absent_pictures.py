"""Which pictures are looked for, and what is told of those that are gone."""

import toys
from formats import truth
from pellucid.server.missing_image_files import MAX_CHECKED, find_missing_image_files


def test_pictures_that_are_gone_are_counted(tmp_path):
    view = truth.view(tmp_path)
    images, _, folders = view.annotation_tables
    assert find_missing_image_files(images, folders) is None
    for name in truth.IMAGES[4:7]:
        (tmp_path / "images" / name).unlink()
    absent = find_missing_image_files(images, folders)
    assert (absent.absent, absent.checked) == (3, 12)
    assert (absent.folder, absent.path) == (str(tmp_path / "images"), truth.IMAGES[4])


def test_images_without_a_folder_are_not_looked_for(workspace, tmp_path):
    source = toys.write(tmp_path / "a.csv", "image,label\na.jpg,cat\nb.jpg,dog\n")
    view, _ = workspace.add("v", source)
    images, _, folders = view.annotation_tables
    assert find_missing_image_files(images, folders) is None


def test_of_many_pictures_some_are_looked_for(workspace, tmp_path):
    rows = [f"{number}.jpg,cat" for number in range(3 * MAX_CHECKED)]
    source = toys.write(tmp_path / "a.csv", "\n".join(["image,label", *rows]))
    toys.picture(tmp_path / "images" / "0.jpg")
    view, _ = workspace.add("v", source, images=tmp_path / "images")
    images, _, folders = view.annotation_tables
    absent = find_missing_image_files(images, folders)
    assert absent.checked == MAX_CHECKED
    assert absent.absent == MAX_CHECKED - 1
