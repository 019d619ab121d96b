"""Parser: docker's conventions, and words that become values."""

from argparse import ArgumentTypeError

import pytest

from runner.cli.arguments import Parser, UsageError, assignment, nano_cpus, number, size


def a_parser() -> Parser:
    parser = Parser("run", "Run a program.")
    parser.flag("-t", "--tty", help="a terminal")
    parser.flag("--sig-proxy", help="pass signals on", default=True)
    parser.option("-m", "--memory", help="a limit", type=size)
    parser.options("-e", "--env", help="a variable")
    parser.command_line("image")
    return parser


@pytest.mark.parametrize(
    ("words", "tty", "proxy"),
    [
        ([], False, True),
        (["-t"], True, True),
        (["--tty=true", "--sig-proxy=false"], True, False),
        (["--tty", "--tty=false"], False, True),
    ],
)
def test_a_flag_may_have_a_value(words: list[str], tty: bool, proxy: bool) -> None:
    read = a_parser().read([*words, "app"])

    assert (read.tty, read.sig_proxy) == (tty, proxy)


def test_options_end_at_the_first_argument() -> None:
    read = a_parser().read(["-e", "A=1", "--env", "B=2", "app", "sh", "-t", "--", "--env", "C"])

    assert (read.image, read.env, read.tty) == ("app", ["A=1", "B=2"], False)
    assert read.command == ["sh", "-t", "--", "--env", "C"]


def test_two_dashes_before_the_image_end_the_options() -> None:
    assert a_parser().read(["--", "app", "-t"]).command == ["-t"]


@pytest.mark.parametrize("words", [[], ["--mem", "1", "app"], ["-m", "x", "app"], ["--tty=maybe"]])
def test_an_invalid_command_line_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(UsageError):
        a_parser().read(words)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("512", 512), ("512b", 512), ("1k", 1024), ("1.5KiB", 1536), ("2g", 2 << 30),
     ("1T", 1 << 40), ("-1", -1)],
)  # fmt: skip
def test_a_size_is_in_powers_of_1024(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "k", "1x", "1kk", "-2", "nan", "inf", "1e16", "1bb", "1_000", "\uff11\uff12", "+1", "."],
)
def test_a_size_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="invalid size"):
        size(text)


def test_numbers_cpus_and_assignments() -> None:
    assert (number("-17"), nano_cpus("1.5"), nano_cpus("0")) == (-17, 1_500_000_000, 0)
    assert (assignment("a=b=c"), assignment("a"), assignment("a=")) == (
        ("a", "b=c"), ("a", ""), ("a", ""),
    )  # fmt: skip
    for parse, text in (
        (number, "1.0"), (number, "\u0663"), (number, "9" * 19),
        (nano_cpus, "-1"), (nano_cpus, "nan"), (nano_cpus, "1_0"),
        (nano_cpus, "\uff11"), (assignment, "=b"),
    ):  # fmt: skip
        with pytest.raises(ArgumentTypeError, match="invalid"):
            parse(text)
