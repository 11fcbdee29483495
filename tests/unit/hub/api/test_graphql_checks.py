"""The checks refuse every bomb, and say which limit, what it found and what to do."""

import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from graphql import get_introspection_query

from periplus_hub.api.graphql_checks import Admitted, Buckets, RequestChecks, decode_request, read_body
from periplus_hub.api.graphql_documents import Documents
from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits

from tests.support.graphql_bombs import BOMBS
from tests.support.graphql_toy import toy_schema

LIMITS = Limits()
SCHEMA = toy_schema()._schema


def checks(limits: Limits = LIMITS) -> RequestChecks:
    return RequestChecks(SCHEMA, limits, Documents(SCHEMA, limits))


async def admit(query: str, subject: RequestChecks | None = None, **variables: object) -> Admitted:
    request = decode_request(json.dumps({"query": query, "variables": variables}).encode(), LIMITS)
    return await (subject or checks()).admit(request, "somebody", now_s=0, ad_hoc=True)


async def refusal(query: str, **variables: object) -> GraphQLRefusal:
    with pytest.raises(GraphQLRefusal) as caught:
        await admit(query, **variables)
    return caught.value


@pytest.mark.promise("queries-are-bounded")
@pytest.mark.parametrize("name", BOMBS)
async def test_every_bomb_is_refused_with_a_remedy(name: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield BOMBS[name]

    async def knock() -> None:
        body = await read_body(chunks(), LIMITS)
        await checks().admit(decode_request(body, LIMITS), "somebody", now_s=0, ad_hoc=True)

    with pytest.raises(GraphQLRefusal) as caught:
        await knock()
    error = caught.value.as_error()
    assert len(caught.value.message) < 1_000
    assert error["extensions"]["code"]
    assert error["extensions"]["remedy"].endswith((".", ")"))


@pytest.mark.promise("queries-are-bounded")
@pytest.mark.parametrize(
    ("query", "code", "found"),
    [
        ("{a{a{a{a{a{a{a{a{a}}}}}}}}}", "too-deep", 9),
        ("{" + "".join(f"a{at}:viewer{{a:id b:id c:id d:id}} " for at in range(7)) + "}", "too-many-aliases", 35),
        ("{" + "".join(f"a{at}:__typename " for at in range(11)) + "}", "too-many-root-fields", 11),
        ("{viewer{" + "id@skip(if:false)" * 7 + "name@skip(if:false)" * 14 + "}}", "too-many-directives", 21),
        ("{viewer{" + "id " * 21 + "}}", "repeated-field", 21),
        ("query a{__typename} query b{__typename}", "one-operation", 2),
        ("{a(b:" + "[" * 39 + "]" * 39 + ")}", "too-nested", 41),
    ],
)
async def test_limit_and_found_value_are_told(query: str, code: str, found: int) -> None:
    error = await refusal(query)
    assert (error.code, error.found) == (code, found)
    assert error.limit is not None
    assert error.limit < found


@pytest.mark.promise("queries-are-bounded")
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([0] * 1_000, "too-many-variables"),
        ([[[[[[[[[]]]]]]]]], "variables-too-deep"),
        ({"a": {"b": "x" * 8_193}}, "text-too-long"),
    ],
)
async def test_variables_are_bounded_whatever_the_document(value: object, code: str) -> None:
    assert (await refusal("{viewer{id}}", x=value)).code == code


async def test_fragments_are_measured_expanded() -> None:
    query = "{...a} fragment a on Query{...b ...b} fragment b on Query{...c ...c} fragment c on Query{viewer{id}}"
    assert (await admit(query)).cost > 1
    nine = "{viewer{...f}} fragment f on Viewer{" + "".join(f"a{at}:id " for at in range(31)) + "}"
    assert (await refusal(nine)).code == "too-many-aliases"


async def test_standard_introspection_passes_within_its_own_allowance() -> None:
    await admit(get_introspection_query())
    nested = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"
    assert (await refusal(nested)).code == "too-deep"


async def test_price_follows_the_page_size() -> None:
    ten = await admit("query($n:Int!){clusters(first:$n){nodes{id}}}", n=10)
    thousand = await admit("query($n:Int!){clusters(first:$n){nodes{id}}}", n=1_000)
    default = await admit("query($n:Int=1000){clusters(first:$n){nodes{id}}}")
    assert thousand.cost - ten.cost == pytest.approx(198)
    assert default.cost == thousand.cost
    with_resolver = await admit("{clusters(first:1000){nodes{label}}}")
    assert with_resolver.cost - thousand.cost == pytest.approx(1_000)
    assert (await admit("{clusters(first:10000){nodes{id name count}}}")).cost < LIMITS.cost


async def test_a_fragment_costs_what_the_page_around_it_does() -> None:
    spread = "{a:clusters(first:10){...f} b:clusters(first:1000){...f}} fragment f on Things{nodes{id}}"
    written = "{a:clusters(first:10){nodes{id}} b:clusters(first:1000){nodes{id}}}"
    assert (await admit(spread)).cost == pytest.approx((await admit(written)).cost)


async def test_page_of_more_than_the_maximum_is_refused_with_it() -> None:
    error = await refusal("{clusters(first:10001){nodes{id}}}")
    assert (error.code, error.limit, error.found) == ("page-size", 10_000, 10_001)
    for large in (10_001, 2e9, 1e300):  # graphql-core takes a float for the Int it equals
        error = await refusal("query($n:Int!){clusters(first:$n){nodes{id}}}", n=large)
        assert error.code == "page-size"


async def test_dear_field_inside_a_long_list_is_too_expensive() -> None:
    error = await refusal("{clusters(first:10000){nodes{label}}}")
    assert error.code == "too-expensive"


async def test_total_has_its_own_price() -> None:
    without = await admit("{clusters{nodes{id}}}")
    assert (await admit("{clusters{nodes{id} total}}")).cost - without.cost == pytest.approx(10)


async def test_validation_errors_do_not_suggest_names() -> None:
    error = await refusal("{viewr{id}}")
    assert error.code == "invalid-operation"
    assert "Did you mean" not in error.message


async def test_document_is_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = checks()
    first = await admit("{viewer{id}}", subject)
    monkeypatch.setattr("periplus_hub.api.graphql_documents.check_valid", None)
    assert (await admit("{viewer{id}}", subject)).prepared is first.prepared


async def test_cache_holds_no_more_than_its_bound() -> None:
    subject = checks(Limits(documents=2))
    for at in range(5):
        await admit(f"{{a{at}:__typename}}", subject)
    assert len(subject._documents._kept) == 2


async def test_only_trusted_documents_without_adhoc() -> None:
    text = "{viewer{id}}"
    digest = (await admit(text)).prepared.digest
    subject = RequestChecks(SCHEMA, LIMITS, Documents(SCHEMA, LIMITS, [digest]))
    request = decode_request(json.dumps({"query": text}).encode(), LIMITS)
    assert (await subject.admit(request, "somebody", now_s=0, ad_hoc=False)).prepared.trusted
    other = decode_request(b'{"query":"{__typename}"}', LIMITS)
    with pytest.raises(GraphQLRefusal, match="web interface"):
        await subject.admit(other, "somebody", now_s=0, ad_hoc=False)


async def test_operation_name_must_be_the_documents_own() -> None:
    request = decode_request(b'{"query":"query a{__typename}","operationName":"b"}', LIMITS)
    with pytest.raises(GraphQLRefusal, match="no operation named 'b'"):
        await checks().admit(request, "somebody", now_s=0, ad_hoc=True)


def test_bucket_empties_per_principal_and_refills() -> None:
    buckets = Buckets(Limits(bucket=100, refill_per_s=10))
    buckets.spend("a", 90, now_s=0)
    with pytest.raises(GraphQLRefusal) as caught:
        buckets.spend("a", 90, now_s=1)
    assert caught.value.headers["retry-after"] == "7"
    buckets.spend("b", 90, now_s=1)
    buckets.spend("a", 90, now_s=8)


async def test_validation_stops_at_its_budget() -> None:
    with pytest.raises(GraphQLRefusal) as caught:
        await admit("{viewer{id name}}", checks(Limits(validation_s=-1)))
    assert caught.value.code == "validation-budget"


@pytest.mark.promise("queries-are-bounded")
async def test_what_runs_is_paid_for() -> None:
    subject = checks(Limits(bucket=30, new_document_cost=0, refill_per_s=0.01))
    query = "{clusters{nodes{id}}}"
    cost = (await admit(query, subject)).cost
    for _ in range(int(30 / cost) - 1):
        await admit(query, subject)
    with pytest.raises(GraphQLRefusal) as caught:
        await admit(query, subject)
    assert caught.value.code == "budget-exhausted"


@pytest.mark.promise("queries-are-bounded")
@pytest.mark.parametrize("other", ["{viewer{name}}", "{nonsense}", "{"])
async def test_a_new_document_is_paid_for_even_when_it_is_wrong(other: str) -> None:
    subject = checks(Limits(bucket=100, new_document_cost=60, refill_per_s=0.01))
    await admit("{viewer{id}}", subject)
    with pytest.raises(GraphQLRefusal) as caught:
        await admit(other, subject)
    assert caught.value.code == "budget-exhausted"
    await admit("{viewer{id}}", subject)


@pytest.mark.promise("queries-are-bounded")
async def test_nobody_keeps_the_checking_of_documents_to_themselves() -> None:
    buckets, cost, passed = Buckets(LIMITS), LIMITS.new_document_cost, 0
    for tenth in range(600):
        for _ in range(10):
            with contextlib.suppress(GraphQLRefusal):
                buckets.spend("greedy", cost, tenth / 10)
                passed += 1
    assert passed <= LIMITS.bucket / cost + 60 * 10
    buckets.spend("modest", cost, 60)
