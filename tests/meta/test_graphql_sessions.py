import pytest

from tests.meta.gates.graphql_sessions import sessions_past_the_context
from tests.meta.gates.source import PACKAGES, hold, parse


def test_operations_open_sessions_through_their_context_alone() -> None:
    hold(sessions_past_the_context, *PACKAGES)


@pytest.mark.parametrize("text", ["context.db.read()", "info.context.db.write(scope)", "f(context.db.retrying_write)"])
def test_a_session_of_ones_own_is_found(text: str) -> None:
    assert len(list(sessions_past_the_context(parse(text, "hub/periplus_hub/fleet/graphql.py")))) == 1


@pytest.mark.parametrize("text", ["context.read(f)", "context.write()", "self.db.read()", "self.db.limits.readers"])
def test_the_contexts_own_and_those_outside_operations_are_not_its_business(text: str) -> None:
    assert list(sessions_past_the_context(parse(text, "hub/periplus_hub/kit/graphql.py"))) == []
