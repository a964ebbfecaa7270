"""What the tests share: the data sets beside the checkout, a built demo, a running server, a
browser."""

import os
import shutil
from collections import Counter
from pathlib import Path

import filelock
import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import expect

import pellucid
from pellucid.demo import demo_workspace
from serving import Served

# A slow machine is no failure: no deadlines, and no check of how long generating examples takes.
QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=25, **QUIET)
settings.register_profile("ci", max_examples=300, **QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
expect.set_options(timeout=120_000)

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("PELLUCID_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
CHROMIUM = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


SLOW_MODULES = {
    "test_benchmarks",
    "test_deploy",
    "test_distributed_run",
    "test_fuzzed",
    "test_github_action",
    "test_object_stores",
    "test_several_servers",
    "test_wheel",
}


def is_slow(item):
    """Fuzzing, and what starts other programs: Ray, S3, PostgreSQL, nginx, several servers, pip."""
    return item.path.stem in SLOW_MODULES or "postgres" in item.name


def mark_further_cases(items):
    """`quick_cases(n)`: the first n cases of a test run in `make test`, the others are slow."""
    counts = Counter()
    for item in items:
        if marker := item.get_closest_marker("quick_cases"):
            test = item.nodeid.partition("[")[0]
            counts[test] += 1
            if counts[test] > marker.args[0]:
                item.add_marker(pytest.mark.slow)


def pytest_collection_modifyitems(items):
    mark_further_cases(items)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    for item in items:
        if "shared" in item.keywords and not SHARED.is_dir():
            item.add_marker(
                pytest.mark.skip(
                    reason=f"the shared data sets are not at {SHARED} (PELLUCID_SHARED_DATA)"
                )
            )
        if is_slow(item):
            item.add_marker(pytest.mark.slow)
        if "browser" in item.keywords and browser is None:
            item.add_marker(
                pytest.mark.skip(reason="no Chromium on the PATH: apt-get install chromium")
            )


@pytest.fixture(scope="session", autouse=True)
def clean_root():
    """Tests write into folders of their own."""

    def files():
        return {path.name for path in ROOT.iterdir() if path.is_file() and path.name[0] != "."}

    before = files()
    yield
    assert files() <= before


@pytest.fixture(scope="session")
def shared():
    """The folder of real data sets."""
    return SHARED


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's workspace, built once for all workers."""
    if built := os.environ.get("PELLUCID_TEST_DEMO"):  # by `make test`, before workers start
        return pellucid.open(built)
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "demo.pellucid"
    with filelock.FileLock(f"{folder}.lock"):
        return demo_workspace(folder)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A function that serves a workspace until the session ends, and gives its address."""
    running = []

    def serve(workspace, **options):
        running.append(Served(workspace, tmp_path_factory.mktemp("crops"), **options))
        return running[-1].address

    yield serve
    for server in running:
        server.request_stop()
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def demo_address(demo, served):
    return served(demo)


@pytest.fixture
def workspace(tmp_path):
    """A new workspace."""
    return pellucid.open(tmp_path / "new.pellucid")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    path = shutil.which("chromium") or shutil.which("google-chrome")
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": path, "args": [*CHROMIUM, *root]}
