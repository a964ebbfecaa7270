"""Sequences of requests by several people through two servers that share a workspace, against a
model that is a plain list of the rows of the history."""

import uuid
from dataclasses import dataclass

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import pellucid
import toys
from openapi import schema

PEOPLE = ("Ann", "Bo", "Olga")
ITEMS = 6
BOX = [5, 5, 10, 10]
VERDICTS = ("add", "remove", "change", "confirm", "unsure")


@dataclass
class Row:
    """One row of the history. target: the id of the row that it undoes, redoes or reverts; item:
    what it decides on."""

    id: int
    who: str
    action: str
    batch: str
    target: int | None = None
    item: int | None = None


class Model:
    """What a plain list of rows says."""

    def __init__(self):
        self.rows = []

    def active(self, row_id):
        undone = False
        for row in self.rows:
            if row.target == row_id:
                if row.action in ("undo", "redo"):
                    undone = row.action == "undo"
                elif row.action == "revert" and self.active(row.id):
                    return False
        return not undone

    def batches(self, who):
        """The batches that this person can undo, and those that can be redone, oldest first."""
        done, undone = [], []
        for row in self.rows:
            if row.who != who:
                continue
            if row.action in ("undo", "redo"):
                source, target = (done, undone) if row.action == "undo" else (undone, done)
                for batch in source:
                    if row.target in batch[1]:
                        source.remove(batch)
                        target.append(batch)
                        break
                continue
            undone.clear()
            if done and done[-1][0] == row.batch:
                done[-1][1].append(row.id)
            else:
                done.append((row.batch, [row.id]))
        return done, undone

    def current(self):
        """For each item decided on, the last active verdict."""
        verdicts = {}
        for row in self.rows:
            if row.action in VERDICTS and self.active(row.id):
                verdicts[row.item] = row
        return verdicts

    def round_start(self):
        resets = [row.id for row in self.rows if row.action == "reset" and self.active(row.id)]
        return max(resets, default=0)

    def reviewed(self):
        start = self.round_start()
        return {
            item
            for item, row in self.current().items()
            if row.id > start and row.action != "unsure"
        }


class Servers:
    """Two servers of one workspace. Each example reviews a new view, so that it starts empty."""

    def __init__(self, folder, served):
        self.source = toys.coco(
            folder,
            images=[
                {"id": image, "file_name": f"{image}.png", "width": 64, "height": 48}
                for image in range(ITEMS)
            ],
            annotations=[],
            pictures=False,
        )
        rows = [
            {"image_id": image, "category_id": 1, "bbox": BOX, "score": 0.9 - image / 100}
            for image in range(ITEMS)
        ]
        self.predictions = toys.results(folder, rows)
        self.workspace = pellucid.open(folder / "w")
        self.addresses = [served(pellucid.open(folder / "w")) for _ in range(2)]
        self.session = requests.Session()
        self.operations = schemathesis.openapi.from_dict(schema())

    def add_view(self):
        """A view in which every prediction is a false positive: each item is in Missing."""
        name = f"v{len(self.workspace.views)}"
        view, _ = self.workspace.add(name, self.source)
        view.start("m").add_predictions(self.predictions)
        return name


def review_machine(servers):
    """The state machine that sends its requests to `servers`."""

    class ReviewSequences(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.view = servers.add_view()
            self.model = Model()
            self.opened = 0, [f"{item}.png" for item in range(ITEMS)], set()

        def ask(self, server, method, route, body=None, **parts):
            path = route.lstrip("/").format(view=self.view, version="m", **parts)
            response = servers.session.request(method, servers.addresses[server] + path, json=body)
            assert response.status_code == 200, response.text
            servers.operations[route.partition("?")[0]][method].validate_response(response)
            return response.json()

        def record(self, document, batch, items=(), targets=()):
            """Append what the server says it stored. It has to be what was asked, in its order."""
            rows = document["rows"]
            assert [row["reverts"] for row in rows] == (list(targets) or [None] * len(rows))
            for place, row in enumerate(rows):
                self.model.rows.append(
                    Row(
                        row["id"],
                        row["who"],
                        row["action"],
                        batch,
                        row["reverts"],
                        items[place] if items else None,
                    )
                )

        @rule(
            server=st.integers(0, 1),
            who=st.sampled_from(PEOPLE),
            items=st.sets(st.integers(0, ITEMS - 1), min_size=1, max_size=3),
            verdict=st.sampled_from(["wrong", "right", "unsure"]),
        )
        def decide(self, server, who, items, verdict):
            batch, items = uuid.uuid4().hex, sorted(items)
            references = [
                {
                    "image": f"{item}.png",
                    "concept": "dent",
                    "side": "predicted",
                    "box": BOX,
                }
                for item in items
            ]
            document = self.ask(
                server,
                "POST",
                "/api/v1/views/{view}/versions/{version}/decisions",
                {"items": references, "verdict": verdict, "who": who, "batch": batch},
            )
            assert len(document["rows"]) == len(items)
            self.record(document, batch, items)

        @rule(
            server=st.integers(0, 1),
            who=st.sampled_from(PEOPLE),
            action=st.sampled_from(["undo", "redo"]),
        )
        def undo_or_redo(self, server, who, action):
            done, undone = self.model.batches(who)
            source = done if action == "undo" else undone
            batch = uuid.uuid4().hex
            document = self.ask(
                server, "POST", f"/api/v1/views/{{view}}/{action}", {"who": who, "batch": batch}
            )
            self.record(document, batch, targets=source[-1][1] if source else [])

        @rule(server=st.integers(0, 1), who=st.sampled_from(PEOPLE), choice=st.integers(0, 1_000))
        def revert(self, server, who, choice):
            rows = [row for row in self.model.rows if row.action in (*VERDICTS, "reset")]
            if not rows:
                return
            row = rows[choice % len(rows)]
            document = self.ask(
                server,
                "POST",
                "/api/v1/views/{view}/history/{row}/revert",
                {"who": who},
                row=row.id,
            )
            self.record(document, uuid.uuid4().hex, targets=[row.id])

        def new_items(self, **more):
            parts = "".join(f"&{name}={value}" for name, value in more.items())
            document = self.ask(
                len(self.model.rows) % 2,
                "GET",
                "/api/v1/views/{view}/versions/{version}/page?tab=missing&at=0:0.1&review=new"
                + parts,
            )
            assert document["total"] == len(document["items"])
            return [item["path"] for item in document["items"]]

        @rule()
        def open_list(self):
            """The list as a reader opens it, at the decision that was the last one then."""
            head = self.model.rows[-1].id if self.model.rows else 0
            self.opened = head, self.new_items(), self.model.reviewed()

        @rule(server=st.integers(0, 1), who=st.sampled_from(PEOPLE))
        def start_round(self, server, who):
            document = self.ask(server, "POST", "/api/v1/views/{view}/reset", {"who": who})
            self.record(document, uuid.uuid4().hex)

        @invariant()
        def history_equals_the_list(self):
            current = {row.id for row in self.model.current().values()}
            for server in (0, 1):
                document = self.ask(server, "GET", "/api/v1/views/{view}/history?limit=1000")
                assert [
                    (row["id"], row["who"], row["action"], row["reverts"], row["on"])
                    for row in reversed(document["rows"])
                ] == [
                    (row.id, row.who, row.action, row.target, self.model.active(row.id))
                    for row in self.model.rows
                ]
                assert {row["id"] for row in document["rows"] if row["standing"]} == current

        @invariant()
        def lists_hide_what_was_reviewed(self):
            reviewed = {f"{item}.png" for item in self.model.reviewed()}
            everything = {f"{item}.png" for item in range(ITEMS)}
            assert set(self.new_items()) == everything - reviewed

        @invariant()
        def opened_list_keeps_its_places(self):
            """Items decided on since stay; those whose decision was undone since come back."""
            head, before, reviewed = self.opened
            back = {f"{item}.png" for item in reviewed - self.model.reviewed()}
            now = self.new_items(since=head)
            assert [path for path in now if path not in back] == before
            assert back <= set(now)

    return ReviewSequences


@pytest.mark.slow
def test_review_sequences_equal_a_plain_list(tmp_path, served):
    run_state_machine_as_test(
        review_machine(Servers(tmp_path, served)),
        settings=settings(
            max_examples=75,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
