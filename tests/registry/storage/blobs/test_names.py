"""Names: no text of a client reaches a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import Digest
from registry.storage.blobs import names as blob_names

SESSION = "4ca313c7-7359-4a1f-9bf9-de299755d371"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_physical_name_is_digest_and_session(algorithm: str) -> None:
    digest = Digest.of(b"content", algorithm)

    physical = blob_names.physical_name(digest, SESSION)

    assert physical == f"{digest.encoded}-{SESSION}"
    assert blob_names.blob_path(physical) == f"blobs/{digest.encoded[:2]}/{physical}"
    assert len(physical) < 255


@pytest.mark.parametrize(
    "text", ["", "..", SESSION.upper(), SESSION + "\n", SESSION + "/..", "٤" + SESSION[1:]]
)
def test_in_2_a_malformed_session_makes_no_path(text: str) -> None:
    assert not blob_names.is_session(text)
    with pytest.raises(FileNotFoundError):
        blob_names.upload_path(text)


@given(st.text())
def test_in_2_no_text_escapes_the_uploads(text: str) -> None:
    if blob_names.is_session(text):
        assert "/" not in text
        assert "." not in text
