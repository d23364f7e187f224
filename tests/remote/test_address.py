"""What an ssh:// address says, and how a wrong one is refused."""

from __future__ import annotations

import pytest

from isinglass.errors import UsageError
from isinglass.remote.address import read_address


@pytest.mark.parametrize(
    ("text", "user", "host", "port", "node", "jumps"),
    [
        ("ssh://db1", "", "db1", 0, "", []),
        ("ssh://db1/", "", "db1", 0, "", []),
        ("ssh://DB1/alder", "", "DB1", 0, "alder", []),
        ("ssh://ops@db1:2222/alder", "ops", "db1", 2222, "alder", []),
        ("ssh://ops@[fe80::1]:22/alder", "ops", "fe80::1", 22, "alder", []),
        ("ssh://a%40b@db1/my%20node", "a@b", "db1", 0, "my node", []),
        ("ssh://db1/alder?jump=ops@gate:22,inner", "", "db1", 0, "alder", ["ops@gate:22", "inner"]),
    ],
)
def test_an_address_says_where_a_node_is(
    text: str, user: str, host: str, port: int, node: str, jumps: list[str]
) -> None:
    address = read_address(text)
    found = address.host
    assert (found.user, found.host, found.port, address.node) == (user, host, port, node)
    assert [str(hop) for hop in address.way[:-1]] == jumps


@pytest.mark.parametrize(
    "text",
    [
        *("ssh://", "ssh:///alder", "ssh://host:port/alder", "ssh://host/alder#there"),
        *("ssh://[::1/alder", "ssh://a]b/alder", "ssh://host\u2100/", "ssh://host/?jump=[x"),
        *("ssh://-oProxyCommand=x/alder", "ssh://host/alder?jump=", "ssh://host/alder?hop=gate"),
    ],
)
def test_a_wrong_address_is_refused_with_how_one_looks(text: str) -> None:
    with pytest.raises(UsageError, match=r"an? (address|node)"):
        read_address(text)


def test_an_address_is_written_as_it_was_read() -> None:
    text = "ssh://ops@db1:2222/alder?jump=gate"
    assert str(read_address(text)) == text
