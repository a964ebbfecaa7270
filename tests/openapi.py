"""Print the server's OpenAPI schema, from which the page's types are made. `--record`: keep it as
the interface that stays compatible (tests/server/test_recorded_schema.py)."""

import json
import sys
import tempfile
from pathlib import Path

import pellucid
from pellucid.server.app import create_app

RECORD = Path(__file__).parent / "server/api-v1.json"


def schema():
    with tempfile.TemporaryDirectory() as folder:
        return create_app(pellucid.open(f"{folder}/w")).openapi()


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        RECORD.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
    else:
        print(json.dumps(schema()))
