import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import Digest, InvalidDigest
from oci.errors import ErrorCode, OCIError
from oci.reference import (
    LATEST,
    InvalidName,
    InvalidTag,
    Reference,
    RepositoryName,
    Tag,
    parse_host,
    parse_tag_or_digest,
)

# The specification's own expressions, as the oracle.
SPEC_NAME = re.compile(
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII
)
SPEC_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)

words = st.text("ab09", min_size=1, max_size=4)
separators = st.sampled_from([".", "_", "__", "-", "---", "/"])
names = st.builds(
    lambda first, rest: first + "".join(separator + word for separator, word in rest),
    words,
    st.lists(st.tuples(separators, words), max_size=6),
)
tags = st.text("aZ09_.-", min_size=1, max_size=20).filter(lambda text: text[0] not in ".-")
nearly = st.text(alphabet="ab0._-/\n A\u0661:%\\\0", max_size=20)


@given(names)
def test_every_name_of_the_spec_survives_the_wire(text: str) -> None:
    assert SPEC_NAME.fullmatch(text)
    assert str(RepositoryName.parse(text)) == text


@given(nearly)
def test_in_1_names_are_judged_as_the_specs_expression_judges(text: str) -> None:
    try:
        RepositoryName.parse(text)
        accepted = True
    except InvalidName:
        accepted = False

    assert accepted == bool(SPEC_NAME.fullmatch(text))


@given(names)
def test_in_1_every_accepted_name_is_safe_in_a_path(text: str) -> None:
    parts = RepositoryName.parse(text).text.split("/")

    assert all(part not in ("", ".", "..") and "\\" not in part for part in parts)


@given(nearly)
def test_in_1_tags_are_judged_as_the_specs_expression_judges(text: str) -> None:
    try:
        Tag.parse(text)
        accepted = True
    except InvalidTag:
        accepted = False

    assert accepted == bool(SPEC_TAG.fullmatch(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected lower-case letters"),
        ("App", "expected lower-case letters"),
        ("app\n", "expected lower-case letters"),
        ("a..b", "expected lower-case letters"),
        ("a/../b", "expected lower-case letters"),
        ("a//b", "expected lower-case letters"),
        ("-a", "expected lower-case letters"),
        ("a___b", "expected lower-case letters"),
        ("a" * 256, "256 characters, expected at most 255"),
    ],
)
def test_in_1_a_bad_name_is_refused_with_a_reason(text: str, expected: str) -> None:
    with pytest.raises(InvalidName, match=expected) as refused:
        RepositoryName.parse(text)

    assert refused.value.code is ErrorCode.NAME_INVALID


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected letters, digits"),
        (".hidden", "not starting with"),
        ("-x", "not starting with"),
        ("a/b", "expected letters, digits"),
        ("v1\n", "expected letters, digits"),
        ("t" * 129, "129 characters, expected at most 128"),
    ],
)
def test_in_1_a_bad_tag_is_refused_with_a_reason(text: str, expected: str) -> None:
    with pytest.raises(InvalidTag, match=expected):
        Tag.parse(text)


def test_in_1_a_hostile_name_costs_linear_time() -> None:
    # More than linear time in these does not end within a test's limit.
    hostile = ["a" * 10_000_000, "a-" * 5_000_000, "a/" * 127 + "!", ("a" + "-" * 60) * 4 + "!"]

    for text in hostile:
        with pytest.raises(InvalidName):
            RepositoryName.parse(text)


def test_a_colon_makes_it_a_digest() -> None:
    digest = Digest.of(b"x")

    assert parse_tag_or_digest(str(digest)) == digest
    assert parse_tag_or_digest("v1") == Tag("v1")
    with pytest.raises(InvalidDigest):
        parse_tag_or_digest("latest:1")


references = st.builds(
    Reference,
    host=st.sampled_from(["registry.test", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"]),
    name=names.map(RepositoryName),
    tag=tags.map(Tag),
    digest=st.none() | st.binary(max_size=4).map(Digest.of),
)


@given(references)
def test_a_reference_survives_being_written(reference: Reference) -> None:
    assert Reference.parse(str(reference), default_host="other.test") == reference


@given(references, st.sampled_from(["registry.test", "127.0.0.1:5000"]))
def test_the_familiar_form_reads_back(reference: Reference, default_host: str) -> None:
    familiar = reference.familiar(default_host)

    assert Reference.parse(familiar, default_host=default_host) == reference
    assert len(familiar) <= len(str(reference))


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_is_refused(text: str) -> None:
    try:
        reference = Reference.parse(text, default_host="registry.test")
    except OCIError as refusal:
        assert str(refusal).startswith("invalid ")
    else:
        assert Reference.parse(str(reference), default_host="registry.test") == reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpine", "registry.test/alpine:latest"),
        ("alpine:3", "registry.test/alpine:3"),
        ("team/app", "registry.test/team/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/team/app:v1", "localhost:5000/team/app:v1"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("index.docker.io/library/alpine:3", "docker.io/library/alpine:3"),
        (f"app@sha256:{'a' * 64}", f"registry.test/app@sha256:{'a' * 64}"),
        (f"app:v1@sha256:{'a' * 64}", f"registry.test/app:v1@sha256:{'a' * 64}"),
    ],
)
def test_what_is_not_written_is_filled_in(text: str, expected: str) -> None:
    assert str(Reference.parse(text, default_host="registry.test")) == expected


@pytest.mark.parametrize(
    ("text", "refusal", "expected"),
    [
        ("app@latest", InvalidDigest, "expected algorithm:encoded"),
        ("registry.test/App", InvalidName, "invalid repository name 'App'"),
        ("bad_host.:5000/app", InvalidName, "invalid registry host"),
        ("registry.test:port/app", InvalidName, "invalid registry host 'registry.test:port'"),
        ("app:", InvalidTag, "invalid tag ''"),
        ("", InvalidName, "invalid repository name ''"),
    ],
)
def test_the_refusal_names_the_part(text: str, refusal: type[OCIError], expected: str) -> None:
    with pytest.raises(refusal) as refused:
        Reference.parse(text, default_host="registry.test")

    assert expected in str(refused.value)


def test_a_digest_decides_and_a_tag_is_a_note() -> None:
    digest = Digest.of(b"x")
    reference = Reference.parse("app:v1", default_host="registry.test")

    pinned = reference.with_digest(digest)

    assert reference.target == Tag("v1")
    assert pinned.target == digest
    assert pinned.tag == Tag("v1")
    assert Reference("h", RepositoryName("a"), None, None).target == LATEST


@pytest.mark.parametrize("host", ["a b", "user@host", "host/", "h:99999999", "", "http://h"])
def test_a_host_is_only_host_and_port(host: str) -> None:
    with pytest.raises(InvalidName, match="expected host or host:port"):
        parse_host(host)
