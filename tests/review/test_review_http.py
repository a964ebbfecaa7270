"""Reviewing over real HTTP: many people at once, and a server that is killed in the middle."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

import toys
from pellucid.server.auth import AuthPolicy

ONE = "api/v1/views/v/versions/m"


def ask(address, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        address + path, data, {"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def good(address, path, body=None, **headers):
    status, document = ask(address, path, body, **headers)
    assert status in (200, 204), document
    return document


def many(workspace, folder, images=30, each=4):
    """A view whose every prediction is wrong: images * each items in Missing, and as many
    concepts as two."""
    names = [
        {"id": number, "file_name": f"{number:03}.png", "width": 64, "height": 48}
        for number in range(images)
    ]
    source = toys.coco(
        folder,
        images=names,
        annotations=[{"id": 1, "image_id": 0, "category_id": 1, "bbox": [60, 40, 4, 8]}],
        pictures=False,
    )
    view, _ = workspace.add("v", source)
    rows = [
        {
            "image_id": image,
            "category_id": 1 + box % 2,
            "bbox": [box * 12, 5, 10, 10],
            "score": 0.5 + (image + box) / 1000,
        }
        for image in range(images)
        for box in range(each)
    ]
    view.start("m").add_predictions(
        toys.results(
            folder, [*rows, {"image_id": 0, "category_id": 1, "bbox": [60, 40, 4, 8], "score": 0.4}]
        )
    )
    return view


def seen(item, names=("dent", "rust")):
    return {
        "image": item["path"],
        "concept": names[item["concept"]],
        "side": "annotated" if item["outcome"] == "extra" else "predicted",
        "box": item["box"],
    }


def asked(items, verdict="right", who="Ann", **more):
    return {
        "items": [seen(one) for one in items],
        "verdict": verdict,
        "who": who,
        "batch": uuid.uuid4().hex,
        **more,
    }


@pytest.fixture
def address(opened, tmp_path, served):
    workspace = opened(tmp_path / "w")
    many(workspace, tmp_path)
    return served(workspace)


LIST = f"{ONE}/page?tab=missing&at=0:0.1&at=1:0.1&limit=1000"


def test_history_shows_the_pictures_of_a_version(address):
    items = good(address, LIST)["items"][:2]
    good(address, f"{ONE}/decisions", asked(items, "wrong"))
    assert good(address, "api/v1/views/v/history")["rows"][0]["picture"] is None
    rows = good(address, "api/v1/views/v/history?version=m")["rows"]
    shown = {(row["picture"], tuple(row["frame"])) for row in rows}
    assert shown == {(item["picture"], tuple(item["frame"])) for item in items}
    status, _ = ask(address, "api/v1/views/v/history?version=nope")
    assert status == 404


def test_decision_removes_its_item_and_undo_restores_it(address):
    items = good(address, LIST + "&review=new")["items"]
    assert len(items) == 120
    done = good(address, f"{ONE}/decisions", asked(items[:3], "wrong", reason="look"))
    assert [(row["action"], row["reason"], row["standing"]) for row in done["rows"]] == [
        ("add", "look", True)
    ] * 3
    assert [one["row"] for one in good(address, LIST + "&review=new")["items"]] == [
        one["row"] for one in items[3:]
    ]
    shown = {one["row"]: one["review"] for one in good(address, LIST)["items"]}
    assert [shown[one["row"]]["who"] for one in items[:3]] == ["Ann"] * 3
    figures = good(address, f"{ONE}/figures?at=0:0.1&at=1:0.1")
    assert sum(one["reviewed"]["missing"] for one in figures["concepts"]) == 3
    good(address, "api/v1/views/v/undo", {"who": "Ann", "batch": uuid.uuid4().hex})
    assert len(good(address, LIST + "&review=new")["items"]) == 120
    history = good(address, "api/v1/views/v/history")
    assert [row["action"] for row in history["rows"]] == ["undo"] * 3 + ["add"] * 3
    good(address, f"api/v1/views/v/history/{done['rows'][0]['id']}/revert", {"who": "Bo"})
    assert good(address, "api/v1/views/v/progress?me=Ann")["redo"] == 3


def test_comments_are_shown_with_their_image(address):
    first = good(address, LIST)["items"][0]
    picture = f"{ONE}/images/{first['image']}"
    assert good(address, picture)["comments"] == []
    body = {"item": seen(first), "text": "plate hidden", "who": "Bo", "batch": uuid.uuid4().hex}
    good(address, f"{ONE}/comments", body)
    (comment,) = good(address, picture)["comments"]
    assert (comment["who"], comment["text"], comment["box"]) == ("Bo", "plate hidden", first["box"])
    assert good(address, f"{ONE}/images/{first['image'] - 1}")["comments"] == []
    good(address, "api/v1/views/v/undo", {"who": "Bo", "batch": uuid.uuid4().hex})
    assert good(address, picture)["comments"] == []


def test_boxes_that_decisions_add_are_shown_in_their_image(address):
    """A box around a prediction is drawn there already; the others are until they are undone."""
    first = good(address, LIST)["items"][0]
    picture = f"{ONE}/images/{first['image']}"
    good(address, f"{ONE}/decisions", asked([first], "wrong"))
    assert good(address, picture)["drawn"] == []
    box = {"image": first["path"], "concept": "rust", "box": [1, 30, 9, 8], "who": "Bo"}
    good(address, f"{ONE}/boxes", {**box, "batch": uuid.uuid4().hex})
    assert good(address, picture)["drawn"] == [{"concept": "rust", "box": [1, 30, 9, 8]}]
    assert good(address, f"{ONE}/images/{first['image'] - 1}")["drawn"] == []
    good(address, "api/v1/views/v/undo", {"who": "Bo", "batch": uuid.uuid4().hex})
    assert good(address, picture)["drawn"] == []


def test_effect_reports_the_metrics_after_corrections(address):
    items = good(address, LIST)["items"]
    before = good(address, f"{ONE}/effect")
    assert (before["corrections"], before["errors"]) == (0, before["errors_corrected"])
    good(address, f"{ONE}/decisions", asked(items[:60], "wrong"))
    after = good(address, f"{ONE}/effect")
    assert (after["corrections"], after["errors"]) == (60, before["errors"])
    trained, corrected = (
        good(address, f"{ONE}/figures?corrected={way}") for way in ("false", "true")
    )
    assert sum(one["fp"] + one["fn"] for one in trained["concepts"]) == before["errors"]
    assert sum(one["fp"] + one["fn"] for one in corrected["concepts"]) == after["errors_corrected"]
    assert [one["threshold"] for one in corrected["concepts"]] == [
        one["threshold_corrected"] for one in after["concepts"]
    ]


def test_repeated_request_is_idempotent(address):
    body = asked(good(address, LIST)["items"][:2])
    first, second = (good(address, f"{ONE}/decisions", body) for _ in range(2))
    assert [row["id"] for row in first["rows"]] == [row["id"] for row in second["rows"]]
    assert good(address, "api/v1/views/v/history")["total"] == 2


def test_repeated_comment_revert_and_round_are_stored_once(address):
    """The page sends them again where the answer was lost."""
    item = good(address, LIST)["items"][0]
    (row,) = good(address, f"{ONE}/decisions", asked([item]))["rows"]
    requests = [
        (f"{ONE}/comments", {"item": seen(item), "text": "look"}),
        (f"api/v1/views/v/history/{row['id']}/revert", {}),
        ("api/v1/views/v/reset", {}),
    ]
    for number, (path, body) in enumerate(requests):
        batch = {"who": "Ann", "batch": f"repeated-{number}"}
        first, second = (good(address, path, {**body, **batch}) for _ in range(2))
        assert [row["id"] for row in first["rows"]] == [row["id"] for row in second["rows"]]
    assert good(address, "api/v1/views/v/history")["total"] == 4


def test_action_id_of_another_author_is_refused(address):
    items = good(address, LIST)["items"]
    body = asked(items[:1])
    good(address, f"{ONE}/decisions", body)
    other = good(address, f"{ONE}/decisions", {**body, "who": "Bo", "verdict": "wrong"})
    assert [(row["who"], row["action"]) for row in other["rows"]] == [("Bo", "add")]


def test_concurrent_undo_reverts_each_action_once(address):
    items = good(address, LIST)["items"]
    for item in items[:8]:
        good(address, f"{ONE}/decisions", asked([item]))
    with ThreadPoolExecutor(4) as pool:
        acts = list(
            pool.map(
                lambda _: good(
                    address, "api/v1/views/v/undo", {"who": "Ann", "batch": uuid.uuid4().hex}
                ),
                range(4),
            )
        )
    taken = [row["reverts"] for act in acts for row in act["rows"]]
    assert len(taken) == len(set(taken)) == 4
    assert good(address, LIST + "&review=new")["total"] == 116


def test_comment_on_a_corrected_item_is_accepted(address):
    item = good(address, LIST)["items"][0]
    good(address, f"{ONE}/decisions", asked([item], "wrong", box=[1.0, 20.0, 10.0, 10.0]))
    moved = {
        "image": item["path"],
        "concept": seen(item)["concept"],
        "side": "annotated",
        "box": [1.0, 20.0, 10.0, 10.0],
    }
    body = {"item": moved, "who": "Ann", "text": "look"}
    assert ask(address, f"{ONE}/comments", body)[0] == 409
    assert (
        good(address, f"{ONE}/comments", {**body, "corrected": True})["rows"][0]["reason"] == "look"
    )


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("broken", ["\ud800", "a\udfffb", "zero\0"])
@pytest.mark.parametrize("field", ["who", "reason", "concept"])
def test_lone_surrogate_is_refused(address, broken, field):
    body = {**asked(good(address, LIST)["items"][:1]), field: broken}
    assert ask(address, f"{ONE}/decisions", body)[0] == 422
    assert (
        ask(
            address,
            f"{ONE}/decisions",
            {
                **body,
                field: "Ann",
                "items": [{"image": broken, "concept": "dent", "side": "predicted"}],
            },
        )[0]
        == 422
    )
    assert ask(address, "api/v1/views/v/undo", {"who": broken, "batch": "b" * 8})[0] == 422


def test_non_finite_numbers_are_refused(address):
    body = (
        json.dumps(asked(good(address, LIST)["items"][:1]))
        .replace('"who"', '"seen": 1e999, "who"')
        .encode()
    )
    request = urllib.request.Request(
        f"{address}{ONE}/decisions", body, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value:
        assert refused.value.code == 422


def test_conflict_is_reported_to_both_reviewers(address):
    item = good(address, LIST)["items"][0]
    good(address, f"{ONE}/decisions", asked([item], "wrong", "Ann"))
    head = good(address, "api/v1/views/v/progress?me=Ann")["head"]
    later = good(address, f"{ONE}/decisions", asked([item], "right", "Bo", seen=0))
    assert [(row["who"], row["action"]) for row in later["conflicts"]] == [("Ann", "add")]
    told = good(address, f"api/v1/views/v/progress?me=Ann&after={head}")
    assert [(row["who"], row["action"]) for row in told["contradicted"]] == [("Bo", "confirm")]
    assert good(address, f"api/v1/views/v/progress?me=Bo&after={head}")["contradicted"] == []


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize(
    ("path", "change", "status", "said"),
    [
        (f"{ONE}/decisions", {"who": " "}, 422, "missing reviewer name"),
        (f"{ONE}/decisions", {"verdict": "perhaps"}, 422, ""),
        (f"{ONE}/decisions", {"items": []}, 422, ""),
        (f"{ONE}/decisions", {"concept": "scratch"}, 422, "unknown concept 'scratch'"),
        (f"{ONE}/decisions", {"box": [1, 2, 0, 4], "verdict": "wrong"}, 422, "no area"),
        (f"{ONE}/decisions", {"box": [1, 2, 3]}, 422, ""),
        (
            f"{ONE}/decisions",
            {"box": [1e308, 1e308, 1e308, 1e308], "verdict": "wrong"},
            422,
            "out of bounds",
        ),
        (
            f"{ONE}/decisions",
            {
                "items": [
                    {
                        "image": "../../etc/passwd",
                        "concept": "dent",
                        "side": "predicted",
                        "box": None,
                    }
                ]
            },
            409,
            "Reload the list",
        ),
        ("api/v1/views/v/versions/x/decisions", {}, 404, "version 'x' not found"),
        ("api/v1/views/v/history/7/revert", {}, 404, "no row 7"),
    ],
)
def test_invalid_decisions_are_refused_and_not_stored(address, path, change, status, said):
    body = {**asked(good(address, LIST)["items"][:1]), **change}
    found, document = ask(address, path, body)
    assert found == status
    assert said in json.dumps(document)
    assert good(address, "api/v1/views/v/history")["total"] == 0


def test_cross_site_requests_are_refused(address):
    body = asked(good(address, LIST)["items"][:1])
    status, document = ask(address, f"{ONE}/decisions", body, Origin="https://evil.example")
    assert (status, document["detail"]) == (
        403,
        "Cross-site request rejected: only Pellucid's own page may change data.",
    )
    good(address, f"{ONE}/decisions", body, Origin=address.rstrip("/"))
    proxied = {"Origin": "https://review.example", "Host": "127.0.0.1"}
    assert (
        ask(address, f"{ONE}/decisions", asked(good(address, LIST)["items"][1:2]), **proxied)[0]
        == 403
    )
    for header in ({"X-Forwarded-Host": "review.example"}, {"Sec-Fetch-Site": "same-origin"}):
        good(
            address,
            f"{ONE}/decisions",
            asked(good(address, LIST)["items"][1:2]),
            **proxied,
            **header,
        )
    assert (
        ask(address, f"{ONE}/decisions", body, **proxied, **{"Sec-Fetch-Site": "cross-site"})[0]
        == 403
    )


def test_proxy_header_names_the_reviewer(workspace, tmp_path, served):
    many(workspace, tmp_path, images=2)
    address = served(workspace, auth_policy=AuthPolicy(who_header="X-Forwarded-User"))
    ann = {"X-Forwarded-User": "ann@example.org"}
    body = asked(good(address, LIST, **ann)["items"][:1], who="Mallory")
    assert ask(address, f"{ONE}/decisions", body)[0] == 401
    assert good(address, f"{ONE}/decisions", body, **ann)["rows"][0]["who"] == "ann@example.org"
    assert good(address, "api/v1/views/v/progress?me=Mallory", **ann)["me"] == "ann@example.org"


def test_twenty_reviewers_never_get_the_same_item(address):
    handed, errors = [], []

    def review(number):
        session, who = f"session-{number:04}", f"reviewer {number}"
        queue = {
            "session": session,
            "who": who,
            "tab": "missing",
            "at": ["0:0.1", "1:0.1"],
            "order": "mistakes",
            "take": 3,
        }
        chance = random.Random(number)
        done = []
        while True:
            answer = good(
                address, f"{ONE}/queue", {**queue, "give_back": [seen(one) for one in done]}
            )
            if not answer["items"]:
                if not answer["left"]:
                    return
                time.sleep(0.05)
                done = []
                continue
            handed.extend(item["row"] for item in answer["items"])
            done = answer["items"]
            for item in done:
                result = good(
                    address,
                    f"{ONE}/decisions",
                    asked([item], chance.choice(["wrong", "right"]), who),
                )
                errors.extend(result["conflicts"])

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(review, range(20)))
    assert sorted(handed) == sorted(set(handed))
    assert len(handed) == 120
    assert errors == []
    progress = good(address, "api/v1/views/v/progress")
    assert sum(one["decisions"] for one in progress["reviewers"]) == 120
    assert progress["leased"] == 0 or good(address, LIST + "&review=new")["total"] == 0


def test_leases_end_when_the_browser_closes(address):
    queue = {"who": "Ann", "tab": "missing", "at": ["0:0.1", "1:0.1"], "take": 100}
    first = good(address, f"{ONE}/queue", {**queue, "session": "session-one"})["items"]
    assert len(first) == 100
    assert len(good(address, f"{ONE}/queue", {**queue, "session": "session-two"})["items"]) == 20
    good(address, "api/v1/views/v/queue/end", {"session": "session-one"})
    assert len(good(address, f"{ONE}/queue", {**queue, "session": "session-two"})["items"]) == 100


class Server:
    """`pellucid serve` in a process of its own, to be killed."""

    def __init__(self, folder, database):
        environment = {**os.environ, **({"PELLUCID_REVIEWS": database} if database else {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pellucid", "serve", str(folder), "--port", "0", "--no-browser"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.address = next(
            word for line in self.process.stderr for word in line.split() if word.startswith("http")
        )

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()


ROUNDS, ACTS, MOST = 11, 450, 5


@pytest.mark.slow
def test_no_acknowledged_decision_is_lost_when_the_server_is_killed(opened, database, tmp_path):
    """Ten thousand decisions by four people, in acts of one to five; every server is killed
    while they decide."""
    workspace = opened(tmp_path / "w")
    view = many(workspace, tmp_path)
    items = list(view.version("m").gallery("missing", threshold=0.1))
    chance = random.Random(7)
    acknowledged, sent = {}, {}
    for _ in range(ROUNDS):
        server = Server(tmp_path / "w", database)
        plan = [
            (
                uuid.UUID(int=chance.getrandbits(128)).hex,
                chance.sample(items, chance.randint(1, MOST)),
                chance.choice(["wrong", "right", "unsure"]),
            )
            for _ in range(ACTS)
        ]
        rest, guard, killed = iter(plan), threading.Lock(), threading.Event()

        def work(who, server=server, rest=rest, guard=guard, killed=killed):
            while not killed.is_set():
                with guard:
                    act = next(rest, None)
                if act is None:
                    return
                batch, chosen, verdict = act
                sent[batch] = len(chosen)
                body = {
                    "items": [
                        {
                            "image": one.image,
                            "concept": one.concept,
                            "side": "predicted",
                            "box": one.box,
                        }
                        for one in chosen
                    ],
                    "verdict": verdict,
                    "who": who,
                    "batch": batch,
                }
                try:
                    acknowledged[batch] = [
                        row["id"] for row in good(server.address, f"{ONE}/decisions", body)["rows"]
                    ]
                except (OSError, HTTPException, json.JSONDecodeError):
                    return

        people = [threading.Thread(target=work, args=(f"person {number}",)) for number in range(4)]
        for one in people:
            one.start()
        while (
            len(acknowledged) < len(sent) - ACTS
            or len([batch for batch, *_ in plan if batch in acknowledged]) < ACTS * 0.7
        ):
            time.sleep(0.002)
        time.sleep(chance.random() * 0.05)
        server.kill()
        killed.set()
        for one in people:
            one.join()
    rows = opened(tmp_path / "w").view("v").reviews.history()
    found = {}
    for row in rows:
        found.setdefault(row.batch, []).append(row.id)
    assert sum(map(len, acknowledged.values())) > 10_000
    assert len(acknowledged) < len(sent), "no server was killed in the middle of anything"
    assert {batch: found.get(batch) for batch in acknowledged} == acknowledged, (
        "an acknowledged decision is lost"
    )
    assert {batch: len(ids) for batch, ids in found.items()} == {
        batch: sent[batch] for batch in found
    }, "one is half there"
