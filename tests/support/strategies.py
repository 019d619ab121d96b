"""Hypothesis strategies for the values of ``oci``."""

from hypothesis import strategies as st

from oci.descriptor import Descriptor, Platform
from oci.digest import Digest

words = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
platforms = st.builds(
    Platform,
    os=words,
    architecture=words,
    variant=st.just("") | words,
    os_version=st.just("") | words,
    os_features=st.lists(words, max_size=2).map(tuple),
)
# Without what no document may hold: NUL, and half of a surrogate pair.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
descriptors = st.builds(
    Descriptor,
    media_type=st.just("application/vnd.test.thing+json"),
    digest=st.binary(max_size=4).map(Digest.of),
    size=st.integers(0, 2**63 - 1),
    annotations=st.dictionaries(texts, texts, max_size=3),
    data=st.none() | st.binary(max_size=8),
    artifact_type=st.none() | st.just("text/x-test"),
    platform=st.none() | platforms,
)
