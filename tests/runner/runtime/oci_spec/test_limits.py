"""Limits that the kernel or the runtime would refuse at the start are refused at create."""

import errno
import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.limits import check_limits, check_mounts
from runner.runtime.oci_spec.spec import check_options
from runner.schema import ContainerOptions, MountOption

HOST = Host(cpus=4, online_cpus=frozenset(range(4)), memory_nodes=frozenset({0}))


def tmpfs(*options: str) -> tuple[MountOption, ...]:
    return (MountOption("tmpfs", "", "/t", options=options),)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cpu_shares": 1}, "CpuShares: expected 2 to 262144, found 1"),
        ({"cpu_shares": 262_145}, "CpuShares: expected 2 to 262144, found 262145"),
        ({"cpu_period": 999}, "CpuPeriod: expected 1000 to 1000000"),
        ({"cpu_quota": 999}, "CpuQuota: expected at least 1000"),
        ({"blkio_weight": 9}, "BlkioWeight: expected 10 to 1000"),
        ({"oom_score_adj": 1_001}, "OomScoreAdj: expected -1000 to 1000, found 1001"),
        ({"oom_score_adj": -1_001}, "OomScoreAdj: expected -1000 to 1000, found -1001"),
        ({"cpuset_cpus": "0-4"}, "CpusetCpus: '0-4' is not available, expected some of 0,1,2,3"),
        ({"cpuset_cpus": "3-0"}, "CpusetCpus: '3-0' is not available"),
        ({"cpuset_cpus": "all"}, "CpusetCpus: expected numbers and ranges such as 0-3,5"),
        ({"cpuset_mems": "1"}, "CpusetMems: '1' is not available, expected some of 0"),
        ({"mounts": tmpfs("size=lots")}, "invalid tmpfs option 'size=lots' of /t"),
        ({"mounts": tmpfs("mode=9")}, "invalid tmpfs option 'mode=9'"),
        ({"mounts": tmpfs("mode=77777")}, "invalid tmpfs option 'mode=77777'"),
        ({"mounts": tmpfs("nonsense")}, "invalid tmpfs option 'nonsense'"),
        ({"mounts": tmpfs("noexec=1")}, "invalid tmpfs option 'noexec=1'"),
        ({"mounts": tmpfs("bind")}, "invalid tmpfs option 'bind'"),
        ({"mounts": tmpfs("size=1m\0")}, "invalid tmpfs option"),
        ({"mounts": (MountOption("volume", "", "/" + "x" * 256),)}, "more than 255 bytes"),
        ({"mounts": (MountOption("volume", "", "/x" * 2_048),)}, "too long"),
        ({"mounts": (MountOption("bind", "/" + "é" * 128, "/x"),)}, "more than 255 bytes"),
        ({"mounts": (MountOption("tmpfs", "", "/a\0b"),)}, "NUL"),
    ],
)
def test_a_value_out_of_range_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_options(ContainerOptions("i", **options), HOST)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"cpu_shares": 2, "cpu_period": 1_000, "cpu_quota": -1, "oom_score_adj": -1_000},
        {"cpu_shares": 262_144, "cpu_quota": 1_000, "oom_score_adj": 1_000, "blkio_weight": 10},
        {"cpuset_cpus": "0,2-3", "cpuset_mems": "0"},
        {"mounts": tmpfs("size=64m", "mode=1777", "uid=1", "nr_inodes=5k", "noexec", "size=50%")},
        {"mounts": (MountOption("volume", "", "/" + "x" * 255),)},
    ],
)
def test_the_ends_of_every_range_are_taken(options: dict[str, Any]) -> None:
    asked = ContainerOptions("i", **options)

    check_limits(asked, HOST)
    check_mounts(asked.mounts)


ENDS = {
    "cpu_shares": (2, 262_144),
    "cpu_period": (1_000, 1_000_000),
    "blkio_weight": (10, 1_000),
    "oom_score_adj": (-1_000, 1_000),
}


@given(st.sampled_from(sorted(ENDS)), st.data())
def test_a_number_is_taken_within_its_range_alone(name: str, data: st.DataObject) -> None:
    lowest, highest = ENDS[name]
    near = st.integers(lowest - 2, lowest + 2) | st.integers(highest - 2, highest + 2)
    value = data.draw(near | st.integers(), "value")
    options: dict[str, Any] = {name: value}

    refused = is_refused(partial(check_limits, ContainerOptions("i", **options), HOST))

    assert refused != (lowest <= value <= highest)


@given(st.sets(st.integers(0, 6), min_size=1), st.booleans())
def test_a_list_is_taken_if_the_host_has_all_of_it(wanted: set[int], as_ranges: bool) -> None:
    text = ",".join(f"{number}-{number}" if as_ranges else str(number) for number in wanted)

    refused = is_refused(partial(check_limits, ContainerOptions("i", cpuset_cpus=text), HOST))

    assert refused != (wanted <= HOST.online_cpus)


@given(st.characters(codec="utf-8", exclude_characters="\0/."), st.integers(252, 259))
def test_a_name_is_refused_where_the_kernel_refuses_it(character: str, size: int) -> None:
    whole, rest = divmod(size, len(character.encode()))
    path = f"/{character * whole}{'a' * rest}"

    refused = is_refused(partial(check_mounts, (MountOption("volume", "", path),)))

    assert refused == (kernel_error(path) == errno.ENAMETOOLONG)


@given(st.integers(4_080, 4_110))
def test_a_path_is_refused_where_the_kernel_refuses_it(length: int) -> None:
    path = ("/" + "." * (length % 2) + "/." * length)[:length]

    refused = is_refused(partial(check_mounts, (MountOption("volume", "", path),)))

    assert refused == (kernel_error(path) == errno.ENAMETOOLONG)


@given(st.text(max_size=12) | st.from_regex(r"(size|mode|uid|nr_inodes)=[0-9]{0,5}[km%]?x?"))
def test_any_tmpfs_option_is_refused_or_one_of_mount(option: str) -> None:
    # By tmpfs(5): a size may be a share of the memory, a mode is octal, an id is a number.
    grammar = (
        r"size=[0-9]+([kmgKMG]|%)?|nr_(blocks|inodes)=[0-9]+[kmgKMG]?|mode=[0-7]+|[ug]id=[0-9]+"
    )

    if not is_refused(partial(check_mounts, tmpfs(option))):
        assert re.fullmatch(grammar, option) or option.isalpha(), "nothing but letters: a flag"


def is_refused(check: Callable[[], None]) -> bool:
    try:
        check()
    except BadRequest:
        return True
    return False


def kernel_error(path: str) -> int:
    """The errno of lstat(2); 0 if it finds the path."""
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno or 0
    return 0
