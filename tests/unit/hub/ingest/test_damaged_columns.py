"""Whatever bytes a section holds, the door ends with rows or with a refusal: never with a fault of its own."""

import random
import struct
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from periplus_contract.batch import Header, unseal
from periplus_contract.limits import MAX_LIST_ITEMS
from periplus_contract.rejections import Reason
from periplus_contract.tables import PODS
from periplus_hub.ingest import decode
from periplus_hub.ingest.columns import check_rows
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

from tests.support.golden import FOLDER
from tests.support.malformed import pods_table

ROUNDS = 1_500
NUMBERS = {
    "i": (0, 1, -1, 64, 255, 2**20, 2**31 - 1, -(2**31)),
    "q": (0, 1, -1, 255, 2**20, 2**40, 2**63 - 1, -(2**63)),
}


def with_column(name: str, values: pa.Array) -> pa.Table:
    table = pods_table()
    return table.set_column(table.column_names.index(name), table.schema.field(name), values)


@pytest.mark.promise("the-rest-goes-on")
@pytest.mark.parametrize("micros", [2**63 - 1, -(2**63), 253_402_300_800_000_000, -62_135_596_800_000_001])
def test_a_time_that_python_cannot_write_is_set_aside_and_shown(micros: int) -> None:
    times = pa.array([1_767_225_600_000_000, micros]).cast(pa.timestamp("us", tz="UTC"))
    kept, (aside,), _ = check_rows(with_column("observed_at", times), PODS)
    assert (kept.num_rows, aside.reason, aside.rows) == (1, Reason.BAD_TIME, 1)
    assert str(micros) in aside.sample


@pytest.mark.parametrize("extra", [1, 2, 3, 5])
def test_buffers_may_be_longer_than_what_they_hold(extra: int) -> None:
    """Arrow demands no multiple of the element's size."""
    ends = np.array([0, 6, 12], np.int32).tobytes() + b"\0" * extra
    ops = pa.StringArray.from_buffers(2, pa.py_buffer(ends), pa.py_buffer(b"upsert" * 2))
    times = np.array([1_767_225_600_000_000] * 2, np.int64).tobytes() + b"\0" * extra
    seen = pa.Array.from_buffers(pa.timestamp("us", tz="UTC"), 2, [None, pa.py_buffer(times)])
    for table in (with_column("op", ops), with_column("observed_at", seen)):
        kept, aside, _ = check_rows(table, PODS)
        assert (kept.num_rows, aside) == (2, [])


@pytest.mark.promise("the-rest-goes-on")
def test_a_row_with_too_long_a_list_is_set_aside_and_the_rest_goes_on() -> None:
    longest = [["x=y"] * MAX_LIST_ITEMS, ["x=y"] * (MAX_LIST_ITEMS + 1)]
    kept, (aside,), _ = check_rows(with_column("labels", pa.array(longest)), PODS)
    assert (kept.column("uid").to_pylist(), aside.reason, aside.rows) == (["a"], Reason.TOO_MANY_ITEMS, 1)
    shared = pa.array([["x=y"] * MAX_LIST_ITEMS] * 2)
    assert check_rows(with_column("labels", shared), PODS).rejected == []


def mutated(chance: random.Random, raw: bytes) -> bytes:
    """A few bits, bytes or aligned numbers changed, half of the time in the metadata at the front."""
    damaged = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(raw) if chance.random() < 0.5 else min(3_000, len(raw)))
        if chance.random() < 0.5:
            damaged[place] ^= 1 << chance.randrange(8)
            continue
        form = chance.choice(tuple(NUMBERS))
        place = min(place - place % 8, len(raw) - 8)
        struct.pack_into(f"<{form}", damaged, place, chance.choice(NUMBERS[form]))
    return bytes(damaged)


def outcome(header: Header, raw: bytes) -> str:
    body = memoryview(zstandard.compress(raw, 1))
    try:
        _, aside = decode._sections(header, body, len(raw), header.sections)
    except SpokeRequestRefusal as refused:
        return refused.problem.slug
    return "set aside" if aside else "taken"


def recorded() -> list[tuple[Header, bytes]]:
    """Every recorded batch with its inflated body."""
    batches = [unseal(path.read_bytes()) for path in sorted(FOLDER.glob("*/*.batch"))]
    return [(header, zstandard.decompress(bytes(body))) for header, body in batches]


@pytest.mark.promise("the-rest-goes-on")
def test_no_damage_inside_a_section_is_a_fault_of_the_hub() -> None:
    chance, seen, batches = random.Random(7), Counter[str](), recorded()
    for _ in range(ROUNDS):
        header, raw = chance.choice(batches)
        seen[outcome(header, mutated(chance, raw))] += 1
    assert set(seen) == {"invalid-batch", "set aside", "taken"}
    assert min(seen.values()) > 10


@pytest.mark.promise("the-rest-goes-on")
@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_no_number_of_the_metadata_is_a_fault_of_the_hub(number: int) -> None:
    header, raw = min(recorded(), key=lambda each: len(each[1]))
    seen = {outcome(header, raw[:at] + struct.pack("<q", number) + raw[at + 8 :]) for at in range(0, len(raw) - 8, 4)}
    assert seen <= {"invalid-batch", "set aside", "taken"}
