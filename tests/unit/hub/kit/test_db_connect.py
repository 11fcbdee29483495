import pytest

from periplus_hub.kit.db_connect import one_host_each


@pytest.mark.parametrize(
    ("url", "each"),
    [
        ("postgresql:///d", ["postgresql:///d"]),
        ("postgresql://u@/d?host=/run", ["postgresql://u@/d?host=/run"]),
        ("postgresql://u:p%40@a:1/d?sslmode=require", ["postgresql://u:p%40@a:1/d?sslmode=require"]),
        ("postgresql://u:p%40@a:1,b/d?x=1", ["postgresql://u:p%40@a:1/d?x=1", "postgresql://u:p%40@b/d?x=1"]),
        ("postgresql://u@/d?host=/a,/b&x=1", ["postgresql://u@/d?host=%2Fa&x=1", "postgresql://u@/d?host=%2Fb&x=1"]),
        ("postgresql://u@/d?host=a,b&port=1,2", ["postgresql://u@/d?host=a&port=1", "postgresql://u@/d?host=b&port=2"]),
        ("postgresql://u@/d?host=a,b&port=1", ["postgresql://u@/d?host=a&port=1", "postgresql://u@/d?host=b&port=1"]),
        ("postgresql://u@/d?host=a,b&port=1,2,3", ["postgresql://u@/d?host=a,b&port=1,2,3"]),
    ],
)
def test_a_url_of_several_hosts_is_one_of_each(url: str, each: list[str]) -> None:
    assert one_host_each(url) == each
