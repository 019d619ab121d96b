"""registry grant, lock: who may do what, and which tags stay."""

import json
import sys
from pathlib import Path

import click

from registry.cli.common import REFUSED, administer
from registry.cli.identities import options
from registry.cli.output import moment, say, show
from registry.cli.repositories import split


@click.group()
def grant() -> None:
    """Give and take roles; explain what somebody may do.

    Roles, each with those before it: pull, create (push new tags), push (move tags), maintain
    (delete), admin.
    """


@grant.command("add")
@options
@click.argument("who")
@click.argument("role")
@click.argument("pattern")
def add_grant(
    config: Path | None, root: str | None, style: str, who: str, role: str, pattern: str
) -> None:
    """Give WHO a ROLE on PATTERN.

    WHO is a user, a robot, a group, `everyone` who signed in, or `anonymous`.  PATTERN is a
    repository's name, a prefix such as 'team/*', or '*'; '{user}/*' is each user's own.
    """
    done = administer(config, root, "grant add", who=who, role=role, pattern=pattern)
    say(done, style, "{who} holds {role} on {pattern}")


@grant.command("remove")
@options
@click.argument("who")
@click.argument("pattern")
def remove_grant(config: Path | None, root: str | None, style: str, who: str, pattern: str) -> None:
    """Take the role that WHO holds on PATTERN."""
    done = administer(config, root, "grant remove", who=who, pattern=pattern)
    say(done, style, "{who} no longer holds {role} on {pattern}")


@grant.command("list")
@options
@click.argument("who", required=False)
def list_grants(config: Path | None, root: str | None, style: str, who: str | None) -> None:
    """List the grants of WHO, or all."""
    show(
        administer(config, root, "grant list", who=who),
        style,
        [
            ("ID", lambda line: str(line["id"])),
            ("WHO", lambda line: line["who"]),
            ("ROLE", lambda line: line["role"]),
            ("PATTERN", lambda line: line["pattern"]),
            ("GIVEN", lambda line: f"{moment(line['created_at'])} by {line['created_by']}"),
        ],
    )


@grant.command()
@options
@click.argument("who")
@click.argument("action")
@click.argument("reference", metavar="NAME[:TAG]")
def explain(
    config: Path | None, root: str | None, style: str, who: str, action: str, reference: str
) -> None:
    """Explain whether WHO may pull, create, push, maintain or admin NAME[:TAG].

    The first word is yes or no; the exit status is 0 or 1.
    """
    name, tag = split(reference)
    steps = list(
        administer(config, root, "grant explain", who=who, action=action, name=name, tag=tag)
    )
    is_allowed = all(step["passed"] for step in steps)
    if style == "json":
        click.echo(json.dumps({"allowed": is_allowed, "steps": steps}))
    else:
        grants = next((step for step in steps if step["step"] == "grants"), steps[-1])
        decisive = grants if is_allowed else steps[-1]
        click.echo(f"{'yes' if is_allowed else 'no':<4} {decisive['text']}")
    if not is_allowed:
        sys.exit(REFUSED)


@click.group()
def lock() -> None:
    """Manage locks: tags that can be created, and never moved.

    A locked tag cannot be deleted either, nor can the manifest it points to.
    """


@lock.command("add")
@options
@click.argument("name")
@click.option("--repository", required=True, metavar="PATTERN", help="Such as 'team/*' or '*'.")
@click.option("--tags", required=True, metavar="GLOB", help="Such as 'v*'; * ? [ ] are special.")
def add_lock(
    config: Path | None, root: str | None, style: str, name: str, repository: str, tags: str
) -> None:
    """Lock the tags that match GLOB in the repositories of PATTERN; existing ones too."""
    done = administer(config, root, "lock add", name=name, repository=repository, tags=tags)
    say(done, style, "lock {name} holds tags {tags} in {repository}")


@lock.command("list")
@options
def list_locks(config: Path | None, root: str | None, style: str) -> None:
    """List the locks."""
    show(
        administer(config, root, "lock list"),
        style,
        [
            ("NAME", lambda line: line["name"]),
            ("REPOSITORY", lambda line: line["repository"]),
            ("TAGS", lambda line: line["tags"]),
            ("ADDED", lambda line: f"{moment(line['created_at'])} by {line['created_by']}"),
        ],
    )


@lock.command("remove")
@options
@click.argument("name")
def remove_lock(config: Path | None, root: str | None, style: str, name: str) -> None:
    """Remove a lock: its tags can be moved and deleted again."""
    say(administer(config, root, "lock remove", name=name), style, "lock {name} is removed")
