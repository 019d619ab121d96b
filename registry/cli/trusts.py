"""registry trust: the CI pipelines that push without a stored secret."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from registry.auth.oidc.issuers import KINDS
from registry.auth.oidc.subject_tokens import MAX_LENGTH
from registry.cli.common import REFUSED, administer
from registry.cli.identities import options
from registry.cli.output import Duration, moment, say, show
from registry.errors import Invalid

# The claims that have an option of their own.
CLAIMS = (
    *("repository_id", "repository_owner_id", "project_id", "namespace_id"),
    *("organization_id", "pipeline_id", "ref"),
)


@click.group()
def trust() -> None:
    """Manage trusts: CI pipelines that push without a stored secret.

    A trust accepts the tokens of one issuer, for this registry, with the claims given; for them
    the CI gets an access token with the trust's grants, for at most an hour.
    """


@trust.command("add")
@options
@click.argument("name")
@click.option(
    "--issuer", required=True, metavar="ISSUER", help="github, gitlab, buildkite, or a URL."
)
@click.option("--kind", type=click.Choice(list(KINDS)), help="Of an issuer by its URL.")
@click.option("--audience", metavar="TEXT", help="The claim aud, if not server.external_url.")
@click.option("--repository-id", metavar="ID", help="GitHub and Forgejo.")
@click.option("--repository-owner-id", metavar="ID", help="GitHub and Forgejo.")
@click.option("--project-id", metavar="ID", help="GitLab.")
@click.option("--namespace-id", metavar="ID", help="GitLab.")
@click.option("--organization-id", metavar="ID", help="Buildkite.")
@click.option("--pipeline-id", metavar="ID", help="Buildkite.")
@click.option("--ref", metavar="REF", help="The branch or tag; it may end in *.")
@click.option(
    "--require", "required", multiple=True, metavar="CLAIM=VALUE", help="Another claim, equal."
)
@click.option("--pull", multiple=True, metavar="PATTERN", help="Let it pull from PATTERN.")
@click.option("--create", multiple=True, metavar="PATTERN", help="And push new tags.")
@click.option("--push", multiple=True, metavar="PATTERN", help="And move tags.")
@click.option("--maintain", multiple=True, metavar="PATTERN", help="And delete.")
@click.option("--life", type=Duration(), metavar="DURATION", help="15m, or at most 1h.")
@click.option("--private", is_flag=True, help="The issuer's host may be on a private network.")
def add_trust(config: Path | None, root: str | None, style: str, name: str, **given: Any) -> None:
    """Trust the tokens of a CI that have all the claims given.

    At least one of them names a project or an organization.  A PATTERN is a repository's name, a
    prefix such as 'team/*', or '*'.
    """
    roles = ("pull", "create", "push", "maintain")
    done = administer(
        config,
        root,
        "trust add",
        name=name,
        issuer=given["issuer"],
        kind=given["kind"],
        audience=given["audience"],
        claims=claims_of(given),
        grants=[[role, pattern] for role in roles for pattern in given[role]],
        life_ms=given["life"],
        private=given["private"] or None,
    )
    say(done, style, "trust {name} accepts tokens of {issuer}")


@trust.command("list")
@options
def list_trusts(config: Path | None, root: str | None, style: str) -> None:
    """List the trusts."""
    show(
        administer(config, root, "trust list"),
        style,
        [
            ("NAME", lambda line: line["name"]),
            ("ISSUER", lambda line: line["issuer"]),
            ("CLAIMS", lambda line: ", ".join(f"{k}={v}" for k, v in line["claims"].items())),
            ("GRANTS", lambda line: ", ".join(map(" ".join, line["grants"])) or "-"),
            ("LIFE", lambda line: f"{line['life_ms'] / 60_000:g} min"),
            ("ADDED", lambda line: f"{moment(line['created_at'])} by {line['created_by']}"),
        ],
    )


@trust.command("remove")
@options
@click.argument("name")
def remove_trust(config: Path | None, root: str | None, style: str, name: str) -> None:
    """Remove a trust: its access tokens are refused from the next request on."""
    say(administer(config, root, "trust remove", name=name), style, "trust {name} is removed")


@trust.command()
@options
@click.argument("file", metavar="TOKEN-FILE")
def inspect(config: Path | None, root: str | None, style: str, file: str) -> None:
    """Print the claims of the token in TOKEN-FILE (- for stdin), and the trusts that accept it.

    Each other trust has its first reason.  The signature is not verified, and the token counts
    afterwards as before.  The exit status is 1 if no trust accepts it.
    """
    found = list(administer(config, root, "trust inspect", token=read_token(file)))
    if style == "json":
        for line in found:
            click.echo(json.dumps(line))
    else:
        head, *rest = found
        for name, value in head["claims"].items():
            click.echo(f"{name:<24} {json.dumps(value)}")
        if head["problem"]:
            click.echo(f"\n{head['problem']}")
        for line in rest:
            click.echo(describe(line))
    if not any(line["accepts"] for line in found[1:]):
        sys.exit(REFUSED)


def describe(line: Mapping[str, Any]) -> str:
    """A line on one trust: yes, or no with its reason."""
    said = "accepts" if line["accepts"] else "refuses"
    reason = line["refusal"] or (
        "" if line["accepts"] else "not any more, see above; its claims are right"
    )
    return f"{line['trust']} {said} it" + (f": {reason}" if reason else "")


def claims_of(given: Mapping[str, Any]) -> list[list[str]]:
    """The claims of the options, each a name with its value."""
    claims = [[name, given[name]] for name in CLAIMS if given[name] is not None]
    for each in given["required"]:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--require {each}: expected CLAIM=VALUE")
        claims.append([name, value])
    return claims


def read_token(file: str) -> str:
    """Raises Invalid."""
    try:
        with click.open_file(file, encoding="ascii") as opened:
            text: str = opened.read(MAX_LENGTH + 3)
    except UnicodeDecodeError:
        raise Invalid(f"the file {file} has no token") from None
    return text.strip()
