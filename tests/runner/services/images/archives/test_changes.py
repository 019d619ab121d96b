"""Changes: Dockerfile instructions for an imported image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.services.images.archives.changes import (
    INSTRUCTIONS,
    ProcessDefaults,
    apply_changes,
)


@pytest.mark.parametrize(
    ("changes", "defaults"),
    [
        ((), ProcessDefaults()),
        (('CMD ["a","b c"]',), ProcessDefaults(cmd=("a", "b c"))),
        (("cmd a b",), ProcessDefaults(cmd=("/bin/sh", "-c", "a b"))),
        (("CMD a", "CMD b"), ProcessDefaults(cmd=("/bin/sh", "-c", "b"))),
        (('ENTRYPOINT ["/x"]',), ProcessDefaults(entrypoint=("/x",))),
        (("ENV A=1 B=2",), ProcessDefaults(env=("A=1", "B=2"))),
        (("ENV A=1", "ENV A=2"), ProcessDefaults(env=("A=2",))),
        (("ENV A some words",), ProcessDefaults(env=("A=some words",))),
        (('LABEL a="b c" d=e',), ProcessDefaults(labels={"a": "b c", "d": "e"})),
        (("WORKDIR /a", "WORKDIR b"), ProcessDefaults(working_dir="/a/b")),
        (("USER 1000:1000",), ProcessDefaults(user="1000:1000")),
        (("EXPOSE 80 53/udp",), ProcessDefaults(exposed_ports=("80/tcp", "53/udp"))),
        (("VOLUME /a /b", 'VOLUME ["/c d"]'), ProcessDefaults(volumes=("/a", "/b", "/c d"))),
        (("STOPSIGNAL SIGQUIT",), ProcessDefaults(stop_signal="SIGQUIT")),
    ],
)
def test_changes_are_applied_in_order(changes: tuple[str, ...], defaults: ProcessDefaults) -> None:
    assert apply_changes(changes) == defaults


KNOWN = "expected one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("RUN rm -rf /", f"RUN is not a valid change: {KNOWN}"),
        ("FROM x", f"FROM is not a valid change: {KNOWN}"),
        ("", f" is not a valid change: {KNOWN}"),
        ("CMD", "CMD: found nothing after it, expected its arguments"),
        ("ENV =1", "ENV =1: found '=1', expected key=value"),
        ("EXPOSE 0", "EXPOSE 0: found port '0', expected 1 to 65535"),
        ("EXPOSE ٣", "EXPOSE ٣: found port '٣', expected 1 to 65535"),
        (
            "EXPOSE 80/sctpx",
            "EXPOSE 80/sctpx: found protocol 'sctpx', expected tcp, udp or sctp",
        ),
        ("LABEL 'x", "LABEL 'x: No closing quotation"),
    ],
)
def test_a_senseless_change_is_refused(change: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        apply_changes([change])

    assert str(caught.value) == message


WORDS = st.text(alphabet="ab=/'\"\\[]{} 0819,\u0663\n", max_size=20)


@given(
    st.lists(st.builds("{} {}".format, st.sampled_from(sorted(INSTRUCTIONS)), WORDS) | st.text())
)
def test_any_changes_are_applied_or_refused(changes: list[str]) -> None:
    try:
        defaults = apply_changes(changes)
    except BadRequest as refusal:
        assert str(refusal)
        return

    assert all("=" in pair for pair in defaults.env)
    assert all(port.partition("/")[0].isascii() for port in defaults.exposed_ports)
    assert defaults.working_dir.startswith("/") or not defaults.working_dir


def test_a_command_of_nothing_but_brackets_is_one_for_the_shell() -> None:
    brackets = "[" * 100_000

    assert apply_changes([f"CMD {brackets}"]).cmd == ("/bin/sh", "-c", brackets)
