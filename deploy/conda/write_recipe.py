"""Write the conda-forge recipe of a release from its source distribution: the name, version,
requirements and licence are those of the project.

python deploy/conda/write_recipe.py dist/pellucid-0.1.0.tar.gz > meta.yaml
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import yaml

CONDA_NAMES = {"duckdb": "python-duckdb", "msgspec": "msgspec-python"}
"""Packages that conda-forge calls otherwise."""


def conda_requirement(requirement: str) -> str:
    """`duckdb>=2.0` as `python-duckdb >=2.0`."""
    for position, character in enumerate(requirement):
        if character in "<>=!~ ":
            name, limits = requirement[:position], requirement[position:].strip()
            return f"{CONDA_NAMES.get(name, name)} {limits}"
    return CONDA_NAMES.get(requirement, requirement)


def build_recipe(source: Path) -> dict[str, Any]:
    """source: the source distribution, NAME-VERSION.tar.gz."""
    name, _, version = source.name.removesuffix(".tar.gz").rpartition("-")
    with tarfile.open(source) as archive:
        member = archive.extractfile(f"{name}-{version}/pyproject.toml")
        assert member is not None
        project = tomllib.loads(member.read().decode("utf-8"))["project"]
    python = f"python {project['requires-python']}"
    return {
        "package": {"name": name, "version": version},
        "source": {
            "url": f"https://pypi.org/packages/source/{name[0]}/{name}/{source.name}",
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        },
        "build": {
            "number": 0,
            "script": "python -m pip install . -vv --no-deps --no-build-isolation",
            "entry_points": [f"{k} = {v}" for k, v in project["scripts"].items()],
        },
        "requirements": {
            "build": ["{{ compiler('c') }}", "{{ stdlib('c') }}"],
            "host": [python, "pip", "hatchling >=1.27", "nodejs 24.*"],
            "run": [python, *map(conda_requirement, project["dependencies"])],
        },
        "test": {
            "imports": [name],
            "commands": ["pellucid --version", "pellucid demo --build-only --workspace demo"],
        },
        "about": {
            "home": "https://pypi.org/project/pellucid/",
            "license": project["license"],
            "license_file": ["LICENSE"],
            "summary": project["description"],
        },
    }


if __name__ == "__main__":
    print(yaml.safe_dump(build_recipe(Path(sys.argv[1])), sort_keys=False, width=100))
