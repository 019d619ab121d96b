"""Messages of runtimes, as one sentence and the refusal it is."""

import pytest

from runner.runtime.errors import (
    CommandNotExecutable,
    CommandNotFound,
    ContainerUnknown,
    NotRunning,
    RuntimeRefused,
)
from runner.runtime.messages import refusal, sentence

RUNC = "runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (RUNC + 'exec: "x": executable file not found in $PATH\n', CommandNotFound,
         'exec: "x": executable file not found in $PATH'),
        (RUNC + 'exec: "/x": stat /x: no such file or directory', CommandNotFound,
         'exec: "/x": stat /x: no such file or directory'),
        (RUNC + 'exec: "/etc": permission denied', CommandNotExecutable,
         'exec: "/etc": permission denied'),
        ('time="t" level=warning msg="lvl"\ntime="t" level=error msg="runc create failed: '
         'error setting rlimit type 7: operation not permitted"\n', RuntimeRefused,
         "error setting rlimit type 7: operation not permitted"),
        ("container does not exist\n", ContainerUnknown, "container does not exist"),
        ("cannot start a container that has stopped", NotRunning,
         "cannot start a container that has stopped"),
        ("container not running", NotRunning, "container not running"),
        ('level=error msg="a \\"b\\"\\nc"', RuntimeRefused, 'a "b" c'),
        ("", RuntimeRefused, "the runtime failed and did not say why"),
        ("[conmon:e]: Failed to create container: exit status 1", RuntimeRefused,
         "[conmon:e]: Failed to create container: exit status 1"),
    ],
)  # fmt: skip
def test_words_become_a_refusal(text: str, kind: type[RuntimeRefused], expected: str) -> None:
    found = refusal(text)

    assert type(found) is kind
    assert str(found) == expected
    assert sentence(text) == expected
