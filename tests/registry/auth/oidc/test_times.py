"""Times: whole seconds, with a minute between clocks."""

from collections.abc import Mapping

import pytest

from registry.auth.oidc.keys import TokenRefused
from registry.auth.oidc.times import LEEWAY_SECONDS, MAX_AGE_SECONDS, check_times

NOW = 1_800_000_000
CLAIMS: Mapping[str, object] = {"iat": NOW, "exp": NOW + 300}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"exp": NOW - LEEWAY_SECONDS}, "has expired"),
        ({"iat": NOW + LEEWAY_SECONDS + 1}, "in the future"),
        ({"iat": NOW - MAX_AGE_SECONDS - LEEWAY_SECONDS}, "issued more than"),
        ({"nbf": NOW + LEEWAY_SECONDS + 1}, "does not count yet"),
        ({"exp": None}, "claim exp"),
        ({"iat": None}, "claim iat"),
        ({"exp": str(NOW + 300)}, "claim exp"),
        ({"exp": NOW + 300.0}, "claim exp"),
        ({"exp": True}, "claim exp"),
        ({"iat": -1}, "claim iat"),
        ({"nbf": "0"}, "claim nbf"),
        ({"nbf": None}, "claim nbf"),
    ],
)
def test_a_token_counts_at_its_time_only(change: dict[str, object], text: str) -> None:
    with pytest.raises(TokenRefused, match=text):
        check_times({**CLAIMS, **change}, NOW)


def test_clocks_may_differ_by_a_minute() -> None:
    for change in (
        {"exp": NOW - LEEWAY_SECONDS + 1},
        {"iat": NOW + LEEWAY_SECONDS, "nbf": NOW + LEEWAY_SECONDS},
        {"iat": NOW - MAX_AGE_SECONDS - LEEWAY_SECONDS + 1},
    ):
        check_times({**CLAIMS, **change}, NOW)
