"""Request heads: one meaning, or a refusal."""

import pytest

from registry.server.http.request_head import (
    ExpectationFailed,
    MalformedRequest,
    RequestHead,
    VersionUnsupported,
    read_head,
)

HOST = (b"host", b"registry.test")
CHUNKED = (b"transfer-encoding", b"chunked")


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
