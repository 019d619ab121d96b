"""Request heads: one meaning, or a refusal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.server.http.request_head import (
    ExpectationFailed,
    MalformedRequest,
    RequestHead,
    VersionUnsupported,
    read_head,
)

HOST = (b"host", b"registry.test")
CHUNKED = (b"transfer-encoding", b"chunked")

# Lengths are digits, and headers come without spaces around them: the parser sees to both.
LENGTHS = st.integers(0, 2**64 - 1).map(lambda length: b"%d" % length)
VALUES = st.sampled_from([b"registry.test", b"a:1", b"chunked", b"100-continue"]) | st.binary(
    max_size=20
)
NAMES = st.sampled_from([b"host", b"transfer-encoding", b"expect", b"authorization", b"x"])
HEADERS = st.lists(
    st.tuples(NAMES, VALUES) | st.tuples(st.just(b"content-length"), LENGTHS), max_size=2
)
STARTS = st.sampled_from([b"http:", b"http://", b"http://registry.test", b"HTTPS://a:1/", b"*"])
REST = st.lists(st.sampled_from([b"/", b"?", b"#", b"@", b":", b"a"]), max_size=6).map(b"".join)
TARGETS = (
    st.builds(bytes.__add__, st.just(b"/"), REST)
    | st.builds(bytes.__add__, STARTS, REST)
    | st.binary(max_size=40)
)


@pytest.mark.parametrize(
    ("target", "headers", "head"),
    [
        (b"/v2/?n=1", (HOST,), RequestHead(b"/v2/", b"n=1", False, 0)),
        (b"http://registry.test/v2/?n=1", (HOST,), RequestHead(b"/v2/", b"n=1", False, 0)),
        (b"http://REGISTRY.TEST", (HOST,), RequestHead(b"/", b"", False, 0)),
        (b"/", (HOST, (b"content-length", b"7")), RequestHead(b"/", b"", False, 7)),
        (b"/", (HOST, CHUNKED), RequestHead(b"/", b"", False, None)),
        (b"/", (HOST, (b"expect", b"100-Continue")), RequestHead(b"/", b"", True, 0)),
    ],
    ids=["path", "absolute", "absolute without a path", "length", "chunked", "expectation"],
)
def test_a_head_is_read(
    target: bytes, headers: tuple[tuple[bytes, bytes], ...], head: RequestHead
) -> None:
    assert read_head("POST", target, "1.1", headers) == head


@pytest.mark.parametrize(
    ("method", "target", "version", "headers", "said"),
    [
        ("GET", b"/", "1.1", (), "host is missing"),
        ("GET", b"/", "1.1", (HOST, HOST), "host is given twice"),
        ("GET", b"/", "1.1", ((b"host", b"a, b"),), "expected a host and a port"),
        ("GET", b"/#a", "1.1", (HOST,), "has a fragment"),
        ("GET", b"*", "1.1", (HOST,), "is not a path"),
        ("GET", b"http://other.test/", "1.1", (HOST,), "names another host"),
        ("GET", b"ftp://registry.test/", "1.1", (HOST,), "is not a path"),
        ("CONNECT", b"/", "1.1", (HOST,), "not a proxy"),
        ("POST", b"/", "1.1", (HOST, (b"transfer-encoding", b"gzip")), "expected chunked"),
        ("POST", b"/", "1.0", (CHUNKED,), "HTTP/1.0 does not have"),
    ],
)
def test_an_ambiguous_head_is_refused(
    method: str, target: bytes, version: str, headers: tuple[tuple[bytes, bytes], ...], said: str
) -> None:
    with pytest.raises(MalformedRequest, match=said):
        read_head(method, target, version, headers)


def test_a_version_and_an_expectation_that_are_not_known_have_their_own_status() -> None:
    with pytest.raises(VersionUnsupported):
        read_head("GET", b"/", "2.0", (HOST,))
    with pytest.raises(ExpectationFailed):
        read_head("GET", b"/", "1.1", (HOST, (b"expect", b"a miracle")))


@settings(max_examples=200)
@given(st.sampled_from(["GET", "OPTIONS", "CONNECT"]), TARGETS, st.sampled_from(["1.0", "1.1"]),
       st.lists(st.just(HOST), max_size=1), HEADERS)  # fmt: skip
def test_any_head_is_read_or_refused(
    method: str,
    target: bytes,
    version: str,
    host: list[tuple[bytes, bytes]],
    headers: list[tuple[bytes, bytes]],
) -> None:
    try:
        head = read_head(method, target, version, [*host, *headers])
    except MalformedRequest as refusal:
        assert str(refusal)
        return

    given = {name: value for name, value in [*host, *headers] if name != b"x"}
    assert head.path.startswith(b"/") or (method, head.path) == ("OPTIONS", b"*")
    assert b"?" not in head.path
    assert b"#" not in head.path + head.query
    assert (head.content_length is None) == (b"transfer-encoding" in given)
    assert len(given) == sum(name != b"x" for name, _ in [*host, *headers])
    assert head.expects_continue <= (b"expect" in given)


@pytest.mark.parametrize(
    ("method", "target", "version", "headers", "message"),
    [
        ("GET", b"/", "2.0", (HOST,), "HTTP version is '2.0', expected 1.0 or 1.1"),
        ("GET", b"/", "1.1", (HOST, HOST), "header host is given twice, expected once"),
        ("GET", b"/", "1.1", (), "header host is missing, which HTTP/1.1 needs"),
        ("CONNECT", b"a:1", "1.1", (HOST,), "this is not a proxy: CONNECT is not served"),
        (
            "GET",
            b"/",
            "1.1",
            ((b"host", b"a, b"),),
            "header host is 'a, b', expected a host and a port",
        ),
        ("GET", b"/#a", "1.1", (HOST,), "target '/#a' has a fragment, expected none"),
        ("GET", b"\xff", "1.1", (HOST,), "target 'ÿ' is not a path"),
        (
            "GET",
            b"ftp://registry.test/",
            "1.1",
            (HOST,),
            "target 'ftp://registry.test/' is not a path",
        ),
        (
            "GET",
            b"http://b/",
            "1.1",
            (HOST,),
            "target 'http://b/' names another host than header host, 'registry.test'",
        ),
        (
            "POST",
            b"/",
            "1.1",
            (HOST, (b"transfer-encoding", b"gzip")),
            "transfer-encoding is 'gzip', expected chunked",
        ),
        (
            "POST",
            b"/",
            "1.0",
            (CHUNKED,),
            "transfer-encoding is given, which HTTP/1.0 does not have",
        ),
        (
            "GET",
            b"/",
            "1.1",
            (HOST, (b"expect", b"a miracle")),
            "header expect is 'a miracle', expected 100-continue",
        ),
    ],
)
def test_a_refusal_says_which_part_of_the_head_is_wrong(
    method: str, target: bytes, version: str, headers: tuple[tuple[bytes, bytes], ...], message: str
) -> None:
    with pytest.raises(MalformedRequest) as caught:
        read_head(method, target, version, headers)

    assert str(caught.value) == message
