"""The conda recipe follows the project's own metadata."""

import runpy
import tarfile
import tomllib
from pathlib import Path

import pellucid

CHECKOUT = Path(__file__).parents[2]


def test_recipe_is_that_of_the_source_distribution(tmp_path):
    source = tmp_path / f"pellucid-{pellucid.__version__}.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        archive.add(CHECKOUT / "pyproject.toml", f"pellucid-{pellucid.__version__}/pyproject.toml")
    module = runpy.run_path(str(CHECKOUT / "deploy" / "conda" / "write_recipe.py"))
    recipe = module["build_recipe"](source)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert recipe["package"] == {"name": "pellucid", "version": pellucid.__version__}
    assert len(recipe["source"]["sha256"]) == 64
    assert len(recipe["requirements"]["run"]) == len(project["dependencies"]) + 1
    assert "python-duckdb >=2.0" in recipe["requirements"]["run"]
    assert recipe["build"]["entry_points"] == ["pellucid = pellucid.__main__:main"]
