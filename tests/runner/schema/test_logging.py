"""The options of a container's log: docker's forms, and a refusal by name of all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.schema import ContainerOptions
from runner.schema.logging import LogOptions


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, LogOptions(20_000_000, 3)),
        ({"max-size": "10m"}, LogOptions(10_000_000, 3)),
        ({"max-size": "1.5k", "max-file": "1"}, LogOptions(1500, 1)),
        ({"max-size": "2GB", "compress": "false", "mode": "blocking"}, LogOptions(2 * 10**9, 3)),
        ({"max-size": "4096"}, LogOptions(4096, 3)),
    ],
)
def test_sizes_and_numbers_are_read(options: dict[str, str], expected: LogOptions) -> None:
    assert LogOptions.parse(options) == expected


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max-sizes": "1m"}, "unknown log opt 'max-sizes'"),
        ({"labels": "a"}, "unknown log opt 'labels'"),
        ({"max-size": "0"}, "max-size: expected a positive size"),
        ({"max-size": "-1"}, "max-size: expected a positive size"),
        ({"max-size": "ten"}, "max-size: expected a positive size"),
        ({"max-file": "0"}, "max-file: expected a number"),
        ({"max-file": "x"}, "max-file: expected a number"),
        ({"compress": "true"}, "compress: 'true' is not offered"),
        ({"mode": "non-blocking"}, "mode: 'non-blocking' is not offered"),
    ],
)
def test_a_log_option_without_effect_is_refused_by_name(
    options: dict[str, str], named: str
) -> None:
    with pytest.raises(BadRequest, match=named):
        ContainerOptions.from_json({"Image": "x", "HostConfig": {"LogConfig": {"Config": options}}})


def test_options_go_through_the_record() -> None:
    body = {"Image": "x", "HostConfig": {"LogConfig": {"Config": {"max-size": "1m"}}}}
    options = ContainerOptions.from_json(body)

    assert ContainerOptions.from_json(options.to_json()) == options
    assert options.to_json()["HostConfig"]["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "1m"},
    }


SIZES = st.builds("{}{}".format, st.integers(0, 10**9), st.sampled_from(["", "k", "MB", " g", "p"]))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "max-size": SIZES | st.text(alphabet="0123456789.kmp") | st.text(),
        "max-file": st.text(alphabet="0123456789", max_size=6) | st.text(),
        "compress": st.sampled_from(["true", "false"]),
        "mode": st.just("blocking"),
    },
)


@given(OPTIONS | st.dictionaries(st.text(), st.text()))
def test_any_options_are_read_or_refused(options: dict[str, str]) -> None:
    try:
        found = LogOptions.parse(options)
    except BadRequest as refusal:
        assert "log opt" in str(refusal)
        return

    # Four times the size, which conmon is given, must fit 64 bits.
    assert 0 < 4 * found.file_bytes < 2**63
    assert 0 < found.files < 100_000


@given(st.integers(1, 10**18), st.integers(1, 99_999))
def test_sizes_and_numbers_are_read_as_they_were_written(size: int, files: int) -> None:
    found = LogOptions.parse({"max-size": f"{size}", "max-file": f"{files}"})

    assert found.file_bytes == pytest.approx(size)
    assert found.files == files
