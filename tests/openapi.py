"""Print the server's OpenAPI schema, from which the page's types are made."""

import json
import tempfile

import pellucid
from pellucid.server.app import create_app


def schema():
    with tempfile.TemporaryDirectory() as folder:
        return create_app(pellucid.open(f"{folder}/w")).openapi()


if __name__ == "__main__":
    print(json.dumps(schema()))
