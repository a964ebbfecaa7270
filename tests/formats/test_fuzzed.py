"""Whatever the bytes of a file, a reader reads it or refuses it: no other error, no hang."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toys
from fuzzing.corpus import kept_inputs
from fuzzing.seeds import SEEDS, WORDS, attempt, read_input
from pellucid.formats.registry import READERS, WRITERS


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_are_read_or_refused(name, tmp_path):
    attempt(toys.write(tmp_path / name, SEEDS[name]))


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_bytes_and_tokens(name, tmp_path):
    chance = random.Random(name)
    for _ in range(60):
        text = bytearray(SEEDS[name].encode())
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(text))
            how = chance.randrange(4)
            if how == 0:
                text[place : place + chance.randint(1, 6)] = b""
            elif how == 1:
                text[place:place] = chance.choice(WORDS)
            elif how == 2:
                text[place : place + 1] = chance.choice(WORDS)
            else:
                begin = chance.randrange(len(text))
                text[place:place] = text[begin : begin + chance.randint(1, 40)]
            text = text or bytearray(b" ")
        (tmp_path / name).write_bytes(bytes(text))
        attempt(tmp_path / name)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5)
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def paths_in(value, here=()):
    yield here
    several = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in several:
        yield from paths_in(inner, (*here, key))


@pytest.mark.parametrize("name", [name for name in SEEDS if name.endswith(".json")])
def test_wrong_json_types_anywhere(name, tmp_path):
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    def holds(data):
        document = json.loads(SEEDS[name])
        *way, last = data.draw(st.sampled_from([path for path in paths_in(document) if path]))
        inner = document
        for key in way:
            inner = inner[key]
        inner[last] = data.draw(VALUES)
        attempt(toys.write(tmp_path / name, json.dumps(document)))

    holds()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.binary(max_size=300),
    name=st.sampled_from(["a.json", "a.xml", "a.csv", "a.txt", "a.parquet", "a.yaml", "a.data"]),
)
def test_arbitrary_bytes(data, name, tmp_path):
    (tmp_path / name).write_bytes(data)
    attempt(tmp_path / name)


def test_every_writer_has_a_reader():
    read_as = {"coco-roboflow": "coco", "csv": "table", "parquet": "table"}
    readers = {reader.name for reader in READERS}
    assert {read_as.get(name, name) for name in WRITERS} <= readers


@pytest.mark.slow
def test_kept_inputs_of_the_fuzzer(tmp_path):
    inputs = kept_inputs("readers")
    assert len(inputs) >= 100
    for data in inputs:
        read_input(data, tmp_path)
