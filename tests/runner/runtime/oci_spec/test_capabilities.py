"""Capabilities: what --cap-add and --cap-drop leave."""

import pytest

from runner.errors import BadRequest
from runner.runtime.oci_spec.capabilities import ALL, DEFAULT, bounding_set, process_sets

EVERY = frozenset(ALL)


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ((), (), set(DEFAULT)),
        (("NET_ADMIN",), (), {*DEFAULT, "CAP_NET_ADMIN"}),
        (("cap_net_admin",), ("chown", "CAP_KILL"),
         {*DEFAULT, "CAP_NET_ADMIN"} - {"CAP_CHOWN", "CAP_KILL"}),
        (("NET_ADMIN",), ("ALL",), {"CAP_NET_ADMIN"}),
        (("ALL",), (), set(ALL)),
        (("all",), ("SYS_ADMIN",), set(ALL) - {"CAP_SYS_ADMIN"}),
        ((), ("all",), set()),
        (("CHOWN",), ("CHOWN",), set(DEFAULT) - {"CAP_CHOWN"}),
    ],
)  # fmt: skip
def test_names_add_and_drop(add: tuple[str], drop: tuple[str], expected: set[str]) -> None:
    assert bounding_set(add, drop, EVERY) == tuple(sorted(expected))


def test_all_is_what_the_daemon_has() -> None:
    available = EVERY - {"CAP_SYS_RESOURCE", "CAP_CHOWN"}

    assert set(bounding_set(("ALL",), (), available)) == available
    assert "CAP_CHOWN" not in bounding_set((), (), available)
    with pytest.raises(BadRequest, match="CAP_SYS_RESOURCE is not available"):
        bounding_set(("SYS_RESOURCE",), (), available)


@pytest.mark.parametrize("name", ["", "CAP_", "CAP_CAP_CHOWN", "CHOWN ", "NET-RAW"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="invalid capability"):
        bounding_set((name,), (), EVERY)
    with pytest.raises(BadRequest, match="invalid capability"):
        bounding_set((), (name,), EVERY)


def test_nothing_is_inherited_by_what_is_executed() -> None:
    sets = process_sets(("CAP_CHOWN",))

    assert (sets["inheritable"], sets["ambient"]) == ([], [])
    assert sets["bounding"] == sets["effective"] == sets["permitted"] == ["CAP_CHOWN"]
