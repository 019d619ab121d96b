"""Changes: Dockerfile instructions for an imported image."""

import pytest

from runner.errors import BadRequest
from runner.services.images.archives.changes import ProcessDefaults, apply_changes


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


@pytest.mark.parametrize(
    "change",
    [
        "RUN rm -rf /",
        "FROM x",
        "CMD",
        "ENV =1",
        "EXPOSE 0",
        "EXPOSE 80/sctpx",
        "EXPOSE ٣",
        "",
        "LABEL 'x",
    ],
)
def test_a_senseless_change_is_refused(change: str) -> None:
    with pytest.raises(BadRequest):
        apply_changes([change])
