"""HT-1: requests that the server refuses, as raw bytes.

Each case says which statuses come back before the server closes the connection.  Behind what is
refused there is often a second request, for ``/canary``: a server that lets itself be led astray
would answer it.
"""

import json
from collections.abc import Iterator

import pytest

from registry.server import Server
from tests.support.registry.raw_http import Answer, Probe, connected, read_answer, running, talk
from tests.support.registry.settings import default_limits

OK = b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OFFER = b"Connection: Upgrade"
CANARY = b"GET /canary HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def get(*headers: bytes, line: bytes = b"GET /plain HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    lines = [line, *([host] if host else []), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return get(*headers, line=b"POST /echo HTTP/1.1") + body


def closing(*headers: bytes, **rest: bytes) -> bytes:
    return get(*headers, b"Connection: close", **rest)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", b"Connection: close", body=body)


Case = tuple[str, bytes, tuple[int, ...]]

REFUSED = (400,)
FRAMING: list[Case] = [
    (name, post(*headers, body=body) + CANARY, REFUSED)
    for name, headers, body in [
        ("length and chunked", (b"Content-Length: 5", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        ("chunked and length", (b"Transfer-Encoding: chunked", b"Content-Length: 5"), b"0\r\n\r\n"),
        ("chunked and length 0", (b"Transfer-Encoding: chunked", b"Content-Length: 0"), b""),
        ("lengths that differ", (b"Content-Length: 0", b"Content-Length: 44"), b""),
        ("the same length twice", (b"Content-Length: 0", b"Content-Length: 0"), b""),
        ("twice in two cases", (b"content-length: 0", b"CONTENT-LENGTH: 44"), b""),
        ("chunked twice", (b"Transfer-Encoding: chunked",) * 2, b"0\r\n\r\n"),
        ("chunked and gzip", (b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"), b"0\r\n"),
        ("gzip and chunked", (b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"), b"0\r\n"),
    ]
]
LENGTHS: list[Case] = [
    (f"content-length {value!r}", post(b"Content-Length:" + value, body=b"a") + CANARY, REFUSED)
    for value in [
        b" +1", b" -1", b" 0x1", b" 1_0", b" 1,1", b" 1, 1", b" 1;1", b" 1 1", b" 1.0", b" 1e0",
        b"", b" ", b" a", b" '1'", b' "1"', b" \xb2", b" \xd9\xa1", b" 18446744073709551616",
        b" 99999999999999999999999", b" 1\x00", b" \x0b1", b" \x0c1", b" 1\x0b", b" one", b" 0b1",
        b" 1h", b" \xef\xbc\x91", b" 1\t2", b" ,1", b" 1,",
    ]
]  # fmt: skip
CODINGS: list[Case] = [
    (
        f"transfer-encoding {value!r}",
        post(b"Transfer-Encoding:" + value, body=b"0\r\n\r\n") + CANARY,
        REFUSED,
    )
    for value in [
        b" gzip", b" identity", b" gzip, chunked", b" chunked, gzip", b" chunked, chunked",
        b" xchunked", b" chunkedx", b" chunked;q=1", b" \x0bchunked", b" \x0cchunked",
        b" chunked\x00", b' "chunked"', b" chunk", b" chunked,", b" ,chunked", b" cow",
        b" chunked identity", b" \xa0chunked", b" deflate", b" compress, chunked", b"",
        b" c\xc4\xa7unked",
    ]
]  # fmt: skip
CHUNKS: list[Case] = [
    (f"chunk {chunk[:30]!r} {len(chunk)}", chunked(chunk + b"0\r\n\r\n") + CANARY, REFUSED)
    for chunk in [
        b"+1\r\na\r\n", b"-1\r\na\r\n", b"0x1\r\na\r\n", b"1_0\r\na\r\n", b" 1\r\na\r\n",
        b"1 \r\na\r\n", b"\t1\r\na\r\n", b"1\t\r\na\r\n", b"\r\na\r\n", b"g\r\na\r\n",
        b"1\na\r\n", b"1\r\na\n", b"1\ra\r\n", b"1\r\na\r\r\n", b"1\r\naa\r\n", b"2\r\na\r\n1",
        b"fffffffffffffffff\r\na\r\n", b"1\x00\r\na\r\n", b"\x001\r\na\r\n", b"1,1\r\na\r\n",
        b"1;a\nb\r\na\r\n", b"1;a\rb\r\na\r\n", b"1;a\x00b\r\na\r\n", b'1;a="\r\n"\r\na\r\n',
        b"1 ;a=b\r\na\r\n", b"\xd9\xa1\r\na\r\n", b"\xef\xbc\x91\r\na\r\n", b"1.0\r\na\r\n",
        b"0\n\n", b"0\r\n\n", b"0\r\nX : y\r\n\r\n", b"0\r\nX: a\r\n b\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ]
]  # fmt: skip
FIELDS: list[Case] = [
    (f"field {line!r:.40}", get(line) + CANARY, REFUSED)
    for line in [
        b"X: a\r\n b", b"X: a\r\n\tb", b"X:\r\n a", b" X: a", b"\tX: a", b"X : a", b"X\t: a",
        b"X", b": a", b":", b"X\x00: a", b"X: \x00", b"X: a\x00b", b"X: \x01", b"X: \x7f",
        b"X: a\nY: b", b"X: a\rY: b", b"X: a\r\r", b"X: a\n", b"\xff: a", b"X(y): a", b"X/y: a",
        b"X[]: a", b'"X": a', b"X=a", b"X;: a", b"X@y: a", b"X y: a", b"\n", b"X: a\n\nGET /canary",
        b"Host: b", b"Host: a", b"host: a",
        b"Authorization: Basic YTpi\r\nAuthorization: Basic YTpi",
        b"Content-Length : 44", b"Transfer-Encoding : chunked", b"Content-Length\x00: 44",
        b"Content-Length: 44\r\n , 3", b"Transfer-Encoding:\r\n chunked", b"Content\r\n-Length: 44",
    ]
]  # fmt: skip
HOSTS: list[Case] = [
    (f"host {host!r}", get(host=host) + CANARY, REFUSED)
    for host in [
        b"", b"Host: a, b", b"Host: a/canary", b"Host: user@a", b"Host: a b", b"Host: \x00",
        b"Host: a\tb",
    ]
]  # fmt: skip
LINES: list[Case] = [
    (f"line {line!r:.40}", get(line=line) + CANARY, statuses)
    for line, statuses in [
        (b"GET /plain", (505,)),
        (b"GET /plain HTTP/0.9", (505,)),
        (b"GET /plain HTTP/2.0", (505,)),
        (b"GET /plain HTTP/1.2", REFUSED),
        (b"GET /plain HTTP/3.1", REFUSED),
        (b"GET /plain HTTP/1.10", REFUSED),
        (b"GET /plain HTTP/01.1", REFUSED),
        (b"GET /plain HTTP/1.1.1", REFUSED),
        (b"GET /plain HTTP/1,1", REFUSED),
        (b"GET /plain HTTP/1", REFUSED),
        (b"GET /plain HTTP", REFUSED),
        (b"GET /plain http/1.1", REFUSED),
        (b"GET /plain HTTPS/1.1", REFUSED),
        (b"GET /plain ICY/1.1", REFUSED),
        (b"GET /plain HTTP/1.1 ", REFUSED),
        (b"GET /plain HTTP/1.1\t", REFUSED),
        (b"GET /plain HTTP/1.1\r", REFUSED),
        (b"GET /plain HTTP/1.1\n", REFUSED),
        (b"GET\t/plain HTTP/1.1", REFUSED),
        (b"GET /plain\tHTTP/1.1", REFUSED),
        (b" GET /plain HTTP/1.1", REFUSED),
        (b"GET /pl ain HTTP/1.1", REFUSED),
        (b"get /plain HTTP/1.1", REFUSED),
        (b"FOO /plain HTTP/1.1", REFUSED),
        (b"GETT /plain HTTP/1.1", REFUSED),
        (b"G\x00T /plain HTTP/1.1", REFUSED),
        (b"PRI * HTTP/2.0", REFUSED),
        (b"GET", REFUSED),
        (b"GET  HTTP/1.1", REFUSED),
        (b"GET plain HTTP/1.1", REFUSED),
        (b"GET ../plain HTTP/1.1", REFUSED),
        (b"GET ?x HTTP/1.1", REFUSED),
        (b"GET * HTTP/1.1", REFUSED),
        (b"GET /plain#part HTTP/1.1", REFUSED),
        (b"GET /plain\x00 HTTP/1.1", REFUSED),
        (b"GET /plain\x01 HTTP/1.1", REFUSED),
        (b"GET /plain\x7f HTTP/1.1", REFUSED),
        (b"GET /plain\xff HTTP/1.1", REFUSED),
        (b"GET /pl\xc3\xa4in HTTP/1.1", REFUSED),
        (b"GET http://b/plain HTTP/1.1", REFUSED),
        (b"GET http://a:81/plain HTTP/1.1", REFUSED),
        (b"GET http://a@b/plain HTTP/1.1", REFUSED),
        (b"GET http://u:p@a/plain HTTP/1.1", REFUSED),
        (b"GET http:///plain HTTP/1.1", REFUSED),
        (b"GET http:/plain HTTP/1.1", REFUSED),
        (b"GET ftp://a/plain HTTP/1.1", REFUSED),
        (b"GET file:///plain HTTP/1.1", REFUSED),
        (b"GET http://a/plain#x HTTP/1.1", REFUSED),
        (b"GET a:80 HTTP/1.1", REFUSED),
        (b"CONNECT a:80 HTTP/1.1", REFUSED),
        (b"CONNECT /plain HTTP/1.1", REFUSED),
    ]
]
SIZES: list[Case] = [
    ("101 headers", get(*[b"X-%d: a" % n for n in range(100)]) + CANARY, (431,)),
    ("3000 headers", get(*[b"X-%d: a" % n for n in range(3000)]) + CANARY, (431,)),
    ("a header of 64 KiB", get(b"X: " + b"a" * 65536) + CANARY, (431,)),
    ("a header of 1 MiB", get(b"X: " + b"a" * 1024 * 1024) + CANARY, (431,)),
    ("a header name of 1 MiB", get(b"X" * 1024 * 1024 + b": a") + CANARY, (431,)),
    ("a target of 64 KiB", get(line=b"GET /" + b"a" * 65536 + b" HTTP/1.1") + CANARY, (431,)),
    ("a target of 1 MiB", get(line=b"GET /" + b"a" * 1024 * 1024 + b" HTTP/1.1") + CANARY, (431,)),
    ("a method of 1 MiB", get(line=b"G" * 1024 * 1024) + CANARY, REFUSED),
    ("headers of 70 KiB together", get(*[b"X: " + b"a" * 1000] * 70) + CANARY, (431,)),
    ("a trailer of 120 KB", chunked(b"0\r\n" + b"X: y\r\n" * 20_000), REFUSED),
    ("an extension of 600 bytes", chunked(b"1;" + b"x" * 600 + b"\r\na\r\n0\r\n\r\n"), REFUSED),
    ("an extension of 100 KB", chunked(b"1;a=" + b"x" * 100_000 + b"\r\na\r\n"), REFUSED),
    ("an extension of 1 MiB", chunked(b"1;a=" + b"x" * 1024 * 1024), REFUSED),
    (
        "400 bytes of extension, often",
        chunked(b"".join([b"1;" + b"x" * 400 + b"\r\na\r\n"] * 9)),
        REFUSED,
    ),
]
PIPELINES: list[Case] = [
    ("garbage after a good request", get() + b"\x00\x01\x02" + CANARY, (200, 400)),
    ("a bad request after a good one", get() + get(b"X : a") + CANARY, (200, 400)),
    ("a bad one after two", get() + get() + get(b"X : a") + CANARY, (200, 200, 400)),
    ("a request after close", closing() + CANARY, (200,)),
    ("garbage after close", closing() + b"\x00" * 100, (200,)),
    ("a request after 1.0", get(line=b"GET /plain HTTP/1.0") + CANARY, (200,)),
    (
        "a request after 1.0 with keep-alive",
        get(b"Connection: keep-alive", line=b"GET /plain HTTP/1.0") + CANARY,
        (200,),
    ),
    ("too much body", post(b"Content-Length: 1", body=b"a\x00") + CANARY, (200, 400)),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 60, REFUSED),
    (
        "chunked in HTTP/1.0",
        get(b"Transfer-Encoding: chunked", line=b"POST /echo HTTP/1.0") + b"0\r\n\r\n" + CANARY,
        REFUSED,
    ),
    ("an expectation nobody knows", get(b"Expect: a-pony") + CANARY, (417,)),
    ("RTSP is read as HTTP/1.0", get(line=b"GET /plain RTSP/1.0") + CANARY, (200,)),
    (
        "an upgrade whose body is a request",
        post(OFFER, b"Upgrade: x", b"Content-Length: %d" % len(CANARY), body=CANARY),
        REFUSED,
    ),
    (
        "an upgrade with a chunked body",
        post(OFFER, b"Upgrade: x", b"Transfer-Encoding: chunked", body=CANARY),
        REFUSED,
    ),
    ("an upgrade by CONNECT", get(line=b"CONNECT a:1 HTTP/1.1") + CANARY, REFUSED),
]  # fmt: skip
UNFINISHED: list[Case] = [
    ("nothing at all", b"", ()),
    ("a line", b"GET /plain HTTP/1.1\r\n", (408,)),
    ("half a line", b"GET /pl", (408,)),
    ("a header without an end", b"GET /plain HTTP/1.1\r\nX: " + b"a" * 3_000_000, (431,)),
    ("a target without an end", b"GET /" + b"a" * 3_000_000, (431,)),
    ("no empty line", b"GET /plain HTTP/1.1\r\nHost: a\r\n", (408,)),
    ("half a header", b"GET /plain HTTP/1.1\r\nHost: a\r\nX: ab", (408,)),
    ("half a body", post(b"Content-Length: 10", body=b"12345"), (408,)),
    ("half a chunk", post(b"Transfer-Encoding: chunked", body=b"a\r\n12345"), (408,)),
    ("no last chunk", post(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n"), (408,)),
    ("empty lines", b"\r\n" * 10, ()),
    ("half a request after a good one", get() + b"GET /canary HTTP/1.1\r\nHost: a\r\n", (200, 408)),
]
ACCEPTED: list[Case] = [
    ("plain", OK, (200,)),
    ("1.0 without a host", get(line=b"GET /plain HTTP/1.0", host=b""), (200,)),
    ("two in one packet", get() + OK, (200, 200)),
    ("empty lines before it", b"\r\n\r\n" + OK, (200,)),
    ("absolute form", closing(line=b"GET http://a/plain HTTP/1.1"), (200,)),
    ("absolute form without a path", closing(line=b"GET HTTP://A HTTP/1.1"), (200,)),
    ("asterisk form", closing(line=b"OPTIONS * HTTP/1.1"), (200,)),
    ("a host with a port", closing(host=b"Host: a:80"), (200,)),
    ("an IPv6 host", closing(host=b"Host: [::1]:80"), (200,)),
    ("100 headers", closing(*[b"X-%d: a" % n for n in range(98)]), (200,)),
    ("headers of 60 KiB", closing(b"X: " + b"a" * 60_000), (200,)),
    ("Latin-1 in a value", closing(b"X: \xe4"), (200,)),
    ("spaces around a value", closing(b"X: \t a \t "), (200,)),
    ("an empty value", closing(b"X:"), (200,)),
    ("a length of 0", post(b"Content-Length: 0", b"Connection: close"), (200,)),
    ("a body of a GET", closing(b"Content-Length: 3") + b"abc", (200,)),
    ("Chunked", closing(b"Transfer-Encoding: Chunked") + b"0\r\n\r\n", (200,)),
    ("zeros before a size", chunked(b"0001\r\na\r\n0\r\n\r\n"), (200,)),
    ("capitals in a size", chunked(b"A\r\n0123456789\r\n0\r\n\r\n"), (200,)),
    ("a short extension", chunked(b"1;a=b\r\na\r\n0\r\n\r\n"), (200,)),
    ("a trailer", chunked(b"1\r\na\r\n0\r\nX-Checksum: y\r\n\r\n"), (200,)),
    ("10000 tiny chunks", chunked(b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n"), (200,)),
    (
        "an offer of HTTP/2",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
        + OK,
        (200, 200),
    ),
]  # fmt: skip
CASES = [
    *FRAMING, *LENGTHS, *CODINGS, *CHUNKS, *FIELDS, *HOSTS, *LINES, *SIZES, *PIPELINES,
    *UNFINISHED, *ACCEPTED,
]  # fmt: skip


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe()


@pytest.fixture(scope="module")
def server(probe: Probe) -> Iterator[Server]:
    limits = default_limits(header_seconds=0.8, keep_alive_seconds=1, body_window_seconds=0.8)
    with running(probe, limits) as server:
        yield server


@pytest.mark.parametrize(
    ("data", "statuses"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_ht_1_each_request_is_read_in_one_way_or_refused(
    server: Server, probe: Probe, data: bytes, statuses: tuple[int, ...]
) -> None:
    probe.seen.clear()

    answers = talk(server, data)

    assert tuple(answer.status for answer in answers) == statuses
    assert not [seen for seen in probe.seen if "canary" in seen]
    for answer in answers:
        assert answer.status == 200 or is_envelope(answer)
    with connected(server, get()) as connection:
        assert read_answer(connection).body == b"hello"


def is_envelope(answer: Answer) -> bool:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    [error] = json.loads(answer.body)["errors"]
    return set(error) == {"code", "message"} and bool(error["message"])


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 200
    assert len({name for name, *_ in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("request_bytes", "message"),
    [
        (
            post(OFFER, b"Upgrade: x", b"Content-Length: 1", body=b"a"),
            "an upgrade is offered with a body, expected none",
        ),
        (get(host=b""), "header host is missing, which HTTP/1.1 needs"),
    ],
)
def test_a_refusal_says_which_part_of_the_request_is_wrong(
    request_bytes: bytes, message: str, server: Server
) -> None:
    [answer] = talk(server, request_bytes)

    assert json.loads(answer.body)["errors"][0]["message"] == message
