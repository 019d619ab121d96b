import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import LENGTHS, Digest, Digester, DigestMismatch, InvalidDigest, chain_id
from oci.errors import ErrorCode, OCIError

HEX64 = "a" * 64


@given(st.binary(max_size=200), st.sampled_from(sorted(LENGTHS)))
def test_a_digest_survives_the_wire(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)

    assert Digest.parse(str(digest)) == digest
    assert digest.encoded == hashlib.new(algorithm, content).hexdigest()


@given(st.text(max_size=200))
def test_any_text_is_a_digest_or_is_refused_with_a_reason(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except OCIError as refusal:
        assert isinstance(refusal, InvalidDigest)
        assert "invalid digest" in str(refusal)
    else:
        assert str(digest) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected algorithm:encoded"),
        (HEX64, "expected algorithm:encoded"),
        (f"md5:{'a' * 32}", "the algorithm must be one of sha256, sha512"),
        (f"SHA256:{HEX64}", "the algorithm must be one of"),
        (f"sha256+b64:{HEX64}", "the algorithm must be one of"),
        ("sha256:12", "sha256 needs 64 lower-case hex characters"),
        (f"sha256:{HEX64}a", "sha256 needs 64"),
        (f"sha256:{'A' * 64}", "sha256 needs 64 lower-case"),
        (f"sha256:{'a' * 63}\n", "sha256 needs 64"),
        (f"sha256:{HEX64}\n", "sha256 needs 64"),
        (f"sha256:{'a' * 63}\N{ARABIC-INDIC DIGIT ONE}", "sha256 needs 64"),
        ("sha256:../../" + "a" * 58, "sha256 needs 64"),
        (f"sha512:{HEX64}", "sha512 needs 128"),
        ("sha256:baddigeststring", "sha256 needs 64"),
    ],
)
def test_in_3_only_registered_digests_in_lower_case_hex(text: str, expected: str) -> None:
    with pytest.raises(InvalidDigest, match="invalid digest") as refused:
        Digest.parse(text)

    assert expected in str(refused.value)
    assert refused.value.code is ErrorCode.DIGEST_INVALID


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidDigest) as refused:
        Digest.parse("x" * 100_000)

    assert len(str(refused.value)) < 200


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_any_split_of_a_stream_has_the_same_digest(chunks: list[bytes]) -> None:
    digester = Digester("sha512")

    for chunk in chunks:
        digester.update(chunk)

    assert digester.digest() == Digest.of(b"".join(chunks), "sha512")
    assert digester.size == len(b"".join(chunks))


def test_a_mismatch_says_what_was_found_and_expected() -> None:
    mismatch = DigestMismatch(expected=Digest("sha256", "e"), actual=Digest("sha256", "a"))

    assert str(mismatch) == "content has digest sha256:a, expected sha256:e"


def test_a_chain_id_follows_the_specs_recursion() -> None:
    one, two, three = (Digest.of(text) for text in (b"1", b"2", b"3"))

    chain = chain_id([one, two, three])

    lower = Digest.of(f"{one} {two}".encode())
    assert chain == Digest.of(f"{lower} {three}".encode())
    assert chain_id([one]) == one


def test_no_layers_have_no_chain_id() -> None:
    with pytest.raises(ValueError, match="at least one diff_id"):
        chain_id([])
