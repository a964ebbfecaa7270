"""Notebooks in a real JupyterLab, in a real browser: running, restarted, saved and converted."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.tools, pytest.mark.browser]

ENVIRONMENT = Path(
    os.environ.get("PELLUCID_JUPYTER", Path(__file__).parents[2] / ".venv" / "jupyter")
)
CELLS = (
    "import pellucid\nview = pellucid.open(FOLDER).view('cells')\nversion = view.version('v2')",
    "version",
    "version.results().metrics()",
    "view.version('v1').compare(version)",
    "version.results().slices(pictures=0)",
    "version.results().causes()",
    "pellucid.widget(version, 'missing')",
    "server = view.workspace.serve(port=0, browser=False)\nserver",
)
RESTART = """
async () => {
  const base = document.baseURI.replace(/lab.*/, '');
  const xsrf = Object.fromEntries(document.cookie.split('; ').map((c) => c.split('=')))._xsrf;
  for (const { id } of await (await fetch(base + 'api/kernels')).json())
    await fetch(`${base}api/kernels/${id}/restart`, {
      method: 'POST', headers: { 'X-XSRFToken': xsrf },
    });
}"""


def write_notebook(path, demo):
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{index}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source.replace("FOLDER", repr(str(demo.folder))),
        }
        for index, source in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document))


def outputs(path):
    """The MIME bundles of the outputs of each cell of a saved notebook; nothing while JupyterLab
    writes it."""
    try:
        document = json.loads(path.read_text())
    except json.JSONDecodeError:
        return []
    return [[output.get("data", {}) for output in cell["outputs"]] for cell in document["cells"]]


def saved_outputs(path):
    """The outputs, once each cell but the first has some."""
    found = outputs(path)
    return found if all(found[1:]) else []


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The variables of a Jupyter that keeps everything in a folder of its own."""
    if not (ENVIRONMENT / "bin" / "jupyter-lab").is_file():
        pytest.skip(f"no JupyterLab in {ENVIRONMENT}: make test-tools builds it")
    folder = tmp_path_factory.mktemp("jupyter")
    names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    return {**os.environ, **{name: str(folder / name.lower()) for name in names}}


@pytest.fixture
def lab(environment, tmp_path, demo):
    """The address of a JupyterLab whose folder holds one notebook, and the notebook."""
    notebook = tmp_path / "notebook.ipynb"
    write_notebook(notebook, demo)
    program = subprocess.Popen(
        [
            ENVIRONMENT / "bin" / "jupyter-lab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            "--port=0",
            "--IdentityProvider.token=",
            f"--ServerApp.root_dir={tmp_path}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running_address(environment, program), notebook
    finally:
        program.terminate()
        program.wait()


def running_address(environment, program):
    folder = Path(environment["JUPYTER_RUNTIME_DIR"])
    written = wait_for(lambda: list(folder.glob(f"jpserver-{program.pid}.json")))
    return wait_for(lambda: json.loads(written[0].read_text() or "{}"))["url"]


def wait_for(condition, patience=300):
    """What the condition returns, once that is something."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise TimeoutError(f"{condition} did not hold within {patience} s")


def run_all(page: Page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def cell(page: Page, number):
    return page.locator(".jp-NotebookPanel .jp-CodeCell").nth(number)


def test_results_in_a_notebook_that_runs_is_restarted_and_converted(
    lab, environment, page: Page, tmp_path
):
    address, notebook = lab
    page.goto(f"{address}lab/tree/{notebook.name}")
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    run_all(page)
    # A version and its figures, as tables with names.
    expect(cell(page, 1).get_by_role("cell", name="validation", exact=True)).to_be_visible()
    expect(cell(page, 2).get_by_role("cell", name="red cell", exact=True)).to_be_visible()
    expect(cell(page, 3).get_by_text("errors").first).to_be_visible()
    expect(cell(page, 5).get_by_text("false positive").first).to_be_visible()

    # The widget answers to clicks.
    widget = cell(page, 6)
    expect(widget.get_by_role("tab", name="missing")).to_be_visible()
    expect(widget.get_by_text("A static copy")).to_be_hidden()
    widget.get_by_role("tab", name="extra").click()
    expect(widget.get_by_role("tab", name="extra")).to_have_attribute("aria-selected", "true")

    # The server runs beside the notebook: its page opens from the link.
    with page.expect_popup() as popup:
        cell(page, 7).locator("a").last.click()
    expect(popup.value.get_by_role("heading", name="Versions of cells")).to_be_visible()
    popup.value.close()

    page.keyboard.press("Control+s")
    saved = wait_for(lambda: saved_outputs(notebook))
    assert "text/html" in saved[6][0]

    # After a restart nothing runs; the static page stands in for the widget.
    page.evaluate(RESTART)
    page.reload()
    cell(page, 6).scroll_into_view_if_needed()
    expect(cell(page, 6).locator("img").first).to_be_visible()
    expect(cell(page, 6).get_by_text("A static copy")).to_be_visible()

    subprocess.run(
        [ENVIRONMENT / "bin" / "jupyter", "nbconvert", "--to", "html", notebook],
        env=environment,
        check=True,
        capture_output=True,
    )
    page.goto(notebook.with_suffix(".html").as_uri())
    expect(page.get_by_role("cell", name="red cell", exact=True).first).to_be_visible()
    expect(page.get_by_text("missing").first).to_be_visible()
    expect(page.get_by_text("A static copy")).to_be_visible()
    assert page.locator("img").count() >= 24
