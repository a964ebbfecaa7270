"""One changed bit anywhere in a workspace is noticed: derived columns are built again, tables are
refused with their path, and `pellucid verify` names each damaged file."""

import json
import logging
import random
import sqlite3
import time

import pytest

import pellucid
import toys
from pellucid.browse.selection import TABS
from pellucid.core.errors import MalformedFileError
from pellucid.review.errors import UnknownWorkspaceIdError
from pellucid.storage import column_checksums
from pellucid.storage.errors import DamagedFileError, ManifestError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "w.pellucid"
    view, _ = pellucid.open(folder).add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    return folder


def answers(folder):
    version = pellucid.open(folder).view("v").version("m")
    lists = {tab: version.gallery(tab)[:] for tab in TABS}
    return lists, dict(version.thresholds), version.metrics()


def flip(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def mapped(folder):
    (file,) = folder.rglob("*.mapped")
    return file


def test_flipped_bit_in_the_columns_never_changes_an_answer(folder):
    expected = answers(folder)
    chooser = random.Random(7)
    size = mapped(folder).stat().st_size
    header = range(0, 1200, 97)
    for position in [*header, *(chooser.randrange(4096, size) for _ in range(40))]:
        flip(mapped(folder), position, chooser.randrange(8))
        assert answers(folder) == expected, position


def test_damaged_columns_are_named_in_a_warning(folder, caplog):
    expected = answers(folder)
    evaluation = pellucid.open(folder).view("v").version("m").evaluation
    position = mapped(folder).read_bytes().index(evaluation.predictions.score.tobytes())
    flip(mapped(folder), position + 6)
    with caplog.at_level(logging.WARNING, "pellucid"):
        assert answers(folder) == expected
    (record,) = caplog.records
    assert str(mapped(folder)) in record.getMessage()
    assert "predictions.score" in record.getMessage()
    caplog.clear()
    assert answers(folder) == expected
    assert not caplog.records, "it was built again"


def test_large_columns_are_verified_while_in_use(folder, monkeypatch):
    expected = answers(folder)
    evaluation = pellucid.open(folder).view("v").version("m").evaluation
    position = mapped(folder).read_bytes().index(evaluation.predictions.score.tobytes())
    flip(mapped(folder), position + 6, 4)
    monkeypatch.setattr(column_checksums, "MAX_BYTES_VERIFIED_FIRST", 0)
    version = pellucid.open(folder).view("v").version("m")
    version.results()
    while not column_checksums.count_damaged(version.folder):
        time.sleep(0.01)
    assert {tab: version.gallery(tab)[:] for tab in TABS} == expected[0]


@pytest.mark.parametrize("table", ["images", "annotations", "predictions", "staircase"])
@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_damaged_table_is_refused_with_its_path(folder, table, harm):
    mapped(folder).unlink()
    (path,) = folder.glob(f"views/v/versions/m/{table}.*.parquet")
    if harm == "flipped":
        flip(path, path.stat().st_size // 3)
    else:
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match="backup") as caught:
        answers(folder)
    assert str(path) in str(caught.value)
    command = toys.run_cli("metrics", folder, "v", "m")
    assert command.returncode == 3
    assert str(path) in command.stderr


def test_damaged_table_of_a_view_is_refused(folder, tmp_path):
    (path,) = folder.glob("views/v/annotations.*.parquet")
    flip(path, 100)
    with pytest.raises(DamagedFileError, match="damaged"):
        pellucid.open(folder).view("v").add(toys.coco(tmp_path / "more"))


def test_damaged_table_is_a_refusal_on_the_page(folder, served):
    from server.test_http import get

    address = served(pellucid.open(folder))
    mapped(folder).unlink()
    (path,) = folder.glob("views/v/versions/m/predictions.*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    status, _, body = get(address, "api/v1/views/v/versions/m")
    assert status == 422
    assert str(path) in json.loads(body)["detail"]


def test_verify_reports_an_intact_workspace(folder):
    command = toys.run_cli("verify", folder, "--json")
    assert command.returncode == 0, command.stderr
    document = json.loads(command.stdout)
    assert document["intact"]
    assert {check["state"] for check in document["files"]} == {"intact"}
    paths = {check["path"] for check in document["files"]}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert paths == {path for path in files if not path.endswith(".lock")}


def test_verify_names_every_damaged_file(folder):
    tables = sorted(folder.rglob("*.parquet"))
    for path in tables:
        flip(path, path.stat().st_size // 2)
    flip(mapped(folder), 5000)
    (folder / "views/v/versions/m/version.json").write_bytes(b"\xff{")
    command = toys.run_cli("verify", folder)
    assert command.returncode == 3
    assert "version.json: damaged: not a valid Pellucid manifest" in command.stdout
    for path in folder.glob("views/v/*.parquet"):
        assert f"views/v/{path.name}: differs from its checksum" in command.stdout
    assert "backup" in command.stderr


def test_verify_tells_what_is_built_again(folder):
    flip(mapped(folder), 5000)
    command = toys.run_cli("verify", folder)
    assert command.returncode == 0
    assert "built again when the version is opened" in command.stdout
    answers(folder)
    assert "built again" not in toys.run_cli("verify", folder).stdout


def test_tables_without_a_checksum_are_read_in_full(folder):
    for path in folder.rglob("*.json"):
        document = json.loads(path.read_text())
        document.pop("checksums", None)
        document.pop("manifest_sha256", None)
        path.write_text(json.dumps(document))
    command = toys.run_cli("verify", folder)
    assert command.returncode == 0
    assert "readable but written without a checksum" in command.stdout
    (path,) = folder.glob("views/v/versions/m/predictions.*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    assert toys.run_cli("verify", folder).returncode == 3


@pytest.mark.parametrize("name", ["views/v/view.json", "views/v/versions/m/version.json"])
def test_any_changed_bit_of_a_manifest_is_noticed(folder, name):
    expected = answers(folder)
    path = folder / name
    intact = path.read_bytes()
    chooser = random.Random(3)
    for position in (chooser.randrange(len(intact)) for _ in range(80)):
        flip(path, position, chooser.randrange(8))
        try:
            found = answers(folder)
        except MalformedFileError as error:
            found = path.name if path.name in str(error) else error
        assert found in (expected, path.name), position  # expected: a blank between two keys
        path.write_bytes(intact)


def test_folder_of_an_interrupted_import_is_not_lost_data(folder):
    version = folder / "views/v/versions/m"
    intact = (version / "version.json").read_bytes()
    (version / "version.json").unlink()
    command = toys.run_cli("verify", folder)
    assert (command.returncode, "version.json: missing" in command.stdout) == (3, True)
    (version / "unfinished").touch()
    command = toys.run_cli("verify", folder)
    assert command.returncode == 0
    assert "views/v/versions/m: of an interrupted import" in command.stdout
    (version / "unfinished").unlink()
    (version / "version.json").write_bytes(intact)
    assert not list(folder.rglob("unfinished"))
    assert toys.run_cli("verify", folder).returncode == 0


def test_broken_manifest_says_where_and_how_to_go_on(folder):
    (folder / "views/v/view.json").write_bytes(b'{"kind": "\xe9"}')
    with pytest.raises(ManifestError, match=r"view\.json: damaged.*backup"):
        pellucid.open(folder).view("v").manifest
    assert issubclass(ManifestError, MalformedFileError)


def test_changed_workspace_id_does_not_hide_the_decisions(folder):
    view = pellucid.open(folder).view("v")
    view.reviews.decide(view.version("m"), [view.version("m").gallery("missing")[0]], "wrong", "Al")
    path = folder / "workspace.json"
    document = json.loads(path.read_text())
    old_id = document["id"]
    changed = {**document, "id": "0" + old_id[1:] + "x"}
    path.write_text(json.dumps(changed))
    with pytest.raises(ManifestError, match=r"workspace\.json: damaged.*manifest_sha256"):
        pellucid.open(folder).view("v").reviews.log
    del changed["manifest_sha256"]
    path.write_text(json.dumps(changed))
    with pytest.raises(UnknownWorkspaceIdError, match=old_id):
        pellucid.open(folder).view("v").reviews.log
    command = toys.run_cli("verify", folder)
    assert command.returncode == 3
    assert old_id in command.stdout


def test_damaged_database_of_decisions_is_reported(folder):
    view = pellucid.open(folder).view("v")
    view.reviews.decide(view.version("m"), [view.version("m").gallery("missing")[0]], "wrong", "Al")
    view.workspace.decision_store.__del__()
    path = folder / "reviews.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\x55" * 4096
    path.write_bytes(content)
    command = toys.run_cli("verify", folder)
    assert command.returncode == 3
    assert "reviews" in command.stdout


@pytest.mark.parametrize("harm", ["missing", "broken", "not UTF-8"])
def test_verify_goes_on_without_the_manifest_of_the_workspace(folder, harm):
    manifest = folder / "workspace.json"
    manifest.unlink() if harm == "missing" else manifest.write_bytes(
        b"{" if harm == "broken" else b"\xff\xfe"
    )
    (table,) = folder.glob("views/v/images.*.parquet")
    table.write_bytes(b"")
    command = toys.run_cli("verify", folder, "--json")
    assert command.returncode == 3
    states = {check["path"]: check["state"] for check in json.loads(command.stdout)["files"]}
    assert states["workspace.json"] == ("missing" if harm == "missing" else "damaged")
    assert states[f"views/v/{table.name}"] == "damaged"


def test_verify_refuses_what_is_no_workspace(tmp_path):
    command = toys.run_cli("verify", tmp_path)
    assert command.returncode == 3
    assert "no workspace found" in command.stderr
