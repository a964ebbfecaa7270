"""The HTTP interface stays compatible: what is recorded of version 1 is still offered.

`api-v1.json` is the schema that programs rely on. It may grow: after an addition, record it with
`python tests/openapi.py --record`. What it holds may not disappear or become stricter.
"""

import copy
import json
from pathlib import Path

import pytest

import openapi

RECORDED = Path(__file__).parent / "api-v1.json"


@pytest.fixture(scope="module")
def current():
    return openapi.schema()


@pytest.fixture(scope="module")
def recorded():
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def breaks(recorded, current):
    """What a program written against the recorded schema would miss."""
    found = []
    for path, methods in recorded["paths"].items():
        for method, operation in methods.items():
            offered = current["paths"].get(path, {}).get(method)
            if offered is None:
                found.append(f"{method} {path} is gone")
                continue
            found += parameter_breaks(f"{method} {path}", operation, offered)
            for status in operation.get("responses", {}):
                if status not in offered["responses"]:
                    found.append(f"{method} {path} no longer answers {status}")
    for name, model in recorded["components"]["schemas"].items():
        offered = current["components"]["schemas"].get(name)
        if offered is None:
            found.append(f"{name} is gone")
            continue
        found += model_breaks(name, model, offered)
    return found


def parameter_breaks(where, operation, offered):
    known = {(p["name"], p["in"]): p for p in operation.get("parameters", [])}
    now = {(p["name"], p["in"]): p for p in offered.get("parameters", [])}
    found = [f"{where}: parameter {name} is gone" for name, _ in known.keys() - now.keys()]
    found += [
        f"{where}: new parameter {key[0]} is required"
        for key in now.keys() - known.keys()
        if now[key].get("required")
    ]
    return found + [
        f"{where}: parameter {key[0]} is now required"
        for key in known.keys() & now.keys()
        if now[key].get("required") and not known[key].get("required")
    ]


def model_breaks(name, model, offered):
    found = []
    properties = offered.get("properties", {})
    for key, described in model.get("properties", {}).items():
        if key not in properties:
            found.append(f"{name}.{key} is gone")
        elif kind(described) != kind(properties[key]):
            found.append(f"{name}.{key} has another type")
    return found


def kind(described):
    """The type of a property, without its texts."""
    return {
        key: described[key]
        for key in ("type", "$ref", "anyOf", "items", "prefixItems", "enum", "const")
        if key in described
    }


def test_nothing_recorded_is_missing(recorded, current):
    assert breaks(recorded, current) == []


def test_additions_are_recorded(recorded, current):
    """So that the next removal is noticed: see the top of this file."""
    assert breaks(current, recorded) == []


def test_every_path_is_versioned(current):
    unversioned = [path for path in current["paths"] if path.startswith("/api/")]
    assert all(path.startswith("/api/v1/") for path in unversioned)
    assert unversioned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["paths"].pop("/api/v1/workspace"), "get /api/v1/workspace is gone"),
        (
            lambda s: s["components"]["schemas"]["PageItem"]["properties"].pop("score"),
            "PageItem.score is gone",
        ),
        (
            lambda s: s["components"]["schemas"]["PageItem"]["properties"].update(
                path={"type": "integer"}
            ),
            "PageItem.path has another type",
        ),
        (
            lambda s: s["paths"]["/api/v1/workspace"]["get"].update(
                parameters=[{"name": "token", "in": "query", "required": True}]
            ),
            "get /api/v1/workspace: new parameter token is required",
        ),
    ],
)
def test_breaks_are_noticed(change, message, recorded):
    changed = copy.deepcopy(recorded)
    change(changed)
    assert message in breaks(recorded, changed)
