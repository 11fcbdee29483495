"""Benchmarks that nobody runs for a while still fit the schema, the flow store's tables and the API."""

import pytest
from graphql import parse, validate

from periplus_hub.api.schema import build_schema

from benchmarks import ingest, inventory, queries, rollup


@pytest.mark.parametrize("asked", [ingest.QUESTION, inventory.QUESTION, inventory.JOIN, *queries.QUESTIONS.values()])
def test_every_question_of_a_benchmark_is_one_of_the_api(asked: str) -> None:
    assert validate(build_schema()._schema, parse(asked)) == []


async def test_questions_about_flows_are_answered_over_the_rows_of_the_benchmark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"CLUSTERS": 4, "HOURS": 2, "ROUNDS": 2, "PLAIN_ROUNDS": 1}.items():
        monkeypatch.setattr(queries, name, value)
    measured = await queries.run(40)
    assert measured["edge_hours"] == 80


async def test_an_hour_of_the_benchmark_is_made_of_all_its_rows() -> None:
    measured = await rollup.run(10)
    assert measured["closed_edges"] == measured["told_edges"] == 3_000
