import pytest

from oci.mediatype import (
    CONFIGS,
    DOCKER_LAYER_TAR,
    INDEXES,
    LAYERS,
    MANIFESTS,
    OCI_FOREIGN_ZSTD,
    OCI_LAYER_GZIP,
    OCI_LAYER_TAR,
    OCI_LAYER_ZSTD,
    compression_of,
    is_media_type,
    without_parameters,
)


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        (OCI_LAYER_TAR, "none"),
        (DOCKER_LAYER_TAR, "none"),
        (OCI_LAYER_GZIP, "gzip"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip"),
        (OCI_LAYER_ZSTD, "zstd"),
        (OCI_FOREIGN_ZSTD, "zstd"),
    ],
)
def test_the_suffix_tells_the_compression(media_type: str, expected: str) -> None:
    assert compression_of(media_type) == expected


def test_the_families_do_not_overlap() -> None:
    families = [MANIFESTS, INDEXES, CONFIGS, LAYERS]

    assert sum(map(len, families)) == len(frozenset().union(*families))
    assert all(is_media_type(media_type) for family in families for media_type in family)


@pytest.mark.parametrize("text", ["", "a", "a/", "/b", "a/b/c", "a b/c", "a/b;c", "a/b\n", "é/b"])
def test_what_is_not_type_and_subtype_is_no_media_type(text: str) -> None:
    assert not is_media_type(text)


def test_parameters_are_cut_off() -> None:
    assert without_parameters(" text/plain ; charset=utf-8") == "text/plain"
