"""One database serves all threads of a process, and a forked process has its own."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pellucid.core.duckdb_cursor import open_cursor


def test_threads_do_not_see_each_others_tables():
    def count(number):
        with open_cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE cells AS SELECT * FROM range({number})")
            return cursor.execute("SELECT count(*) FROM cells").fetchone()[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(40))) == list(range(40))
    with open_cursor() as cursor:
        assert cursor.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


FORK = """
import os, sys
from pellucid.core.duckdb_cursor import open_cursor

def count():
    with open_cursor() as cursor:
        return cursor.execute("SELECT count(*) FROM range(1000000)").fetchone()[0]

assert count() == 1000000
child = os.fork()
assert count() == 1000000
sys.exit(0 if child == 0 else os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_reads_tables_too():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True)
