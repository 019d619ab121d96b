"""MountOption: ``-v`` is read by docker's grammar, and written as one of ``HostConfig.Mounts``."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.schema.mounts import PROPAGATIONS, MountOption

names = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,9}", fullmatch=True)
components = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/:"), min_size=1, max_size=6
).filter(lambda name: name not in (".", ".."))
paths = st.lists(components, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
ignored = st.lists(st.sampled_from(["z", "cached"]), unique=True, max_size=2)
access = st.sampled_from(["", "ro", "rw"])


@given(paths, paths, access, st.sampled_from(["", *sorted(PROPAGATIONS)]), ignored, st.randoms())
def test_a_bind_says_source_target_access_and_propagation(
    source: str, target: str, word: str, propagation: str, others: list[str], order: object
) -> None:
    words = [each for each in (word, propagation, *others) if each]
    order.shuffle(words)  # type: ignore[attr-defined]
    text = ":".join([source, target, *([",".join(words)] if words else [])])

    option = MountOption.parse_bind(text)

    kept = (propagation, "create") if propagation else ("create",)
    assert option == MountOption("bind", source, target, word == "ro", kept)
    assert MountOption.from_json(option.to_json()) == option


@given(names, paths, access, st.booleans())
def test_a_name_is_a_volumes(name: str, target: str, word: str, nocopy: bool) -> None:
    words = [each for each in (word, "nocopy" if nocopy else "") if each]
    text = ":".join([name, target, *([",".join(words)] if words else [])])

    option = MountOption.parse_bind(text)

    assert option == MountOption("volume", name, target, word == "ro", ("nocopy",) * nocopy)
    assert MountOption.from_json(option.to_json()) == option


@given(
    st.builds(
        lambda source, target, words: f"{source}:{target}:{','.join(words)}",
        st.sampled_from(["a", "/a", "/../a/"]),
        st.sampled_from(["/b", "//b/../c"]),
        st.lists(st.sampled_from(["ro", "shared", "nocopy", "z"]), max_size=3),
    )
    | st.text("a/:.,", max_size=8)
    | st.text(max_size=12)
)
def test_any_text_is_refused_or_becomes_the_same_option_of_mounts(text: str) -> None:
    with contextlib.suppress(BadRequest):
        option = MountOption.parse_bind(text)

        assert option.target.startswith("/")
        assert option.target != "/"
        assert ".." not in option.target.split("/")
        assert MountOption.from_json(option.to_json()) == option


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("/a", "expected source:target"),
        ("/a:/b:ro:z", "expected source:target"),
        (":/b", "expected source:target"),
        ("/a:b", "expected an absolute path"),
        ("/a:/b/..", "the root is the image's"),
        ("/a:/b:ro,rw", "found ro and rw, expected at most one of ro, rw"),
        ("/a:/b:shared,private", "found shared and private"),
        ("/a:/b:nocopy", "unknown option 'nocopy'"),
        ("a:/b:shared", "unknown option 'shared'"),
        ("/a:/b:ro,ro", "found ro and ro"),
        ("a:/b:nocopy,nocopy", "found nocopy and nocopy"),
    ],
)
def test_a_malformed_volume_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        MountOption.parse_bind(text)


@pytest.mark.parametrize("options", [5, True, "size=1m", {"size": "1m"}])
def test_options_of_a_tmpfs_that_are_no_list_are_refused(options: object) -> None:
    document = {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": options}}

    with pytest.raises(BadRequest, match=r"TmpfsOptions\.Options: expected a list of lists, found"):
        MountOption.from_json(document)


@given(st.text(max_size=20), st.lists(st.sampled_from(["ro", "rw", "size=1m", ""])).map(",".join))
def test_a_tmpfs_is_read_back_or_refused(target: str, options: str) -> None:
    try:
        option = MountOption.parse_tmpfs(f"/{target}", options)
    except BadRequest as refusal:
        assert "invalid mount target" in str(refusal)
        return

    assert option.kind == "tmpfs"
    assert option.read_only == ("ro" in options.split(","))
    assert not {"ro", "rw"} & set(option.options)
