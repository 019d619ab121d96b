"""Host: this machine's processors and memory, and the kernel's lists of them."""

import pytest

from runner.runtime.oci_spec.host import Host, parse_list


@pytest.mark.parametrize(
    ("text", "numbers"), [("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("3,1-1", {1, 3}), ("5-4", set())]
)
def test_lists_are_read_as_the_kernel_reads_them(text: str, numbers: set[int]) -> None:
    assert parse_list(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1--2", "1 2", "999999"])
def test_text_without_a_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected numbers and ranges"):
        parse_list(text)


def test_this_host_has_the_processor_that_runs_this() -> None:
    host = Host.detect()

    assert host.online_cpus
    assert host.memory_nodes
