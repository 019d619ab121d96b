"""Issuers: one spelling of each URL, and the kind that goes with it."""

import pytest

from registry.auth.oidc.issuers import Issuer

GITHUB = Issuer.parse("github")


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("github", None, "github"),
        ("https://token.actions.githubusercontent.com", None, "github"),
        ("https://token.actions.githubusercontent.com/octo", None, "github"),
        ("https://gitlab.com", "gitlab", "gitlab"),
        ("https://gitlab.test:8443", "gitlab", "gitlab"),
        ("https://gitlab.test", None, "other"),
        ("https://login.test/", None, "other"),
    ],
)
def test_an_issuer_is_a_url_and_a_kind(text: str, kind: str | None, found: str) -> None:
    issuer = Issuer.parse(text, kind)

    assert issuer.kind == found
    assert issuer.url == (GITHUB.url if text == "github" else text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", None),
        ("forgejo", None),
        ("http://gitlab.test", None),
        ("HTTPS://gitlab.test", None),
        ("https://GitLab.test", None),
        ("https://gitlab.test:443", None),
        ("https://gitlab.test:0", None),
        ("https://user@gitlab.test", None),
        ("https://user:x@gitlab.test", None),
        ("https://gitlab.test?a", None),
        ("https://gitlab.test#a", None),
        ("https://gitlab.test/a b", None),
        ("https://gitlab.test/%2e", None),
        ("https://[::1]", None),
        ("https://", None),
        ("https://gitlab..test", None),
        ("https://gitlab.test.", None),
        ("https://gitlab.test\n", None),
        ("https://" + "a" * 500, None),
        ("https://gitlab.test", "gitea"),
        # Laxer kinds of an issuer that everybody has tokens of.
        ("https://token.actions.githubusercontent.com", "other"),
        ("https://token.actions.githubusercontent.com/", None),
        ("https://token.actions.githubusercontent.com/octo/", "other"),
        ("https://token.actions.githubusercontent.com:443", None),
        ("https://gitlab.com", "github"),
    ],
)
def test_another_spelling_of_an_issuer_is_refused(text: str, kind: str | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        Issuer.parse(text, kind)
