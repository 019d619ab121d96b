"""registry setup, user, group, robot, token: who can sign in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click

from registry.auth.htpasswd import parse_htpasswd
from registry.auth.names import PrincipalName
from registry.auth.passwords import check_new_password
from registry.cli.common import (
    administer,
    config_file,
    exit_with_errors,
    handle_errors,
    root_directory,
)
from registry.cli.output import Duration, moment, output_format, read_password, say, show
from registry.errors import Invalid

Command = Callable[..., None]

# As many as one line to the control socket holds.
MAX_IMPORTED = 400

password_file = click.option(
    "--password-file",
    metavar="FILE",
    help="The password's file; - for stdin. Asked for without one.",
)


def options(command: Command) -> Command:
    """The options of every command here, and its errors in one line."""
    return config_file(root_directory(output_format(handle_errors(command))))


@click.command()
@options
@click.option("--owner", metavar="NAME", required=True, help="The name of the first user.")
@password_file
def setup(
    config: Path | None, root: str | None, style: str, owner: str, password_file: str | None
) -> None:
    """Make the first user, who owns the registry; in use, or stopped and empty.

    Owners may do everything, and make users, robots and grants.
    """
    password = read_password(password_file, f"Password of {owner}")
    try:  # before a root is made for them
        PrincipalName.parse(owner)
        check_new_password(password)
    except ValueError as error:
        raise Invalid(str(error)) from None
    done = administer(config, root, "setup", name=owner, password=password)
    say(done, style, "{name} owns this registry; sign in with `docker login -u {name}`")


@click.group()
def user() -> None:
    """Manage users."""


@user.command("add")
@options
@click.argument("name")
@password_file
@click.option("--no-password", is_flag=True, help="Let the user sign in by tokens only.")
@click.option("--owner", is_flag=True, help="The user may do everything.")
@click.option("--auditor", is_flag=True, help="The user sees names and the audit, no content.")
def add_user(
    config: Path | None,
    root: str | None,
    style: str,
    name: str,
    password_file: str | None,
    no_password: bool,
    owner: bool,
    auditor: bool,
) -> None:
    """Add a user.  They may do nothing until `registry grant add`."""
    password = None if no_password else read_password(password_file, f"Password of {name}")
    flags = {"owner": owner or None, "auditor": auditor or None}
    done = administer(config, root, "user add", name=name, password=password, **flags)
    say(done, style, "user {name} is added")


@user.command("import")
@options
@click.argument("file", type=click.File(encoding="utf-8"), metavar="HTPASSWD")
def import_users(config: Path | None, root: str | None, style: str, file: TextIO) -> None:
    """Add the users of an htpasswd file with bcrypt hashes; all or none.

    They keep their passwords.  They may do nothing until `registry grant add`.
    """
    found = parse_htpasswd(file.read())
    if found.problems:
        exit_with_errors(*found.problems)
    if not found.entries:
        exit_with_errors(f"{file.name} has no users")
    if len(found.entries) > MAX_IMPORTED:
        exit_with_errors(
            f"{file.name} has {len(found.entries)} users, expected at most {MAX_IMPORTED}: split it"
        )
    pairs = [[entry.name, entry.hash] for entry in found.entries]
    done = administer(config, root, "user import", entries=pairs)
    say(done, style, "user {name} is added")


@user.command("list")
@options
def list_users(config: Path | None, root: str | None, style: str) -> None:
    """List the users."""
    show(
        administer(config, root, "user list"),
        style,
        [
            ("NAME", lambda line: line["name"]),
            ("RIGHTS", rights),
            ("PASSWORD", lambda line: "yes" if line["has_password"] else "no"),
            ("STATE", state),
            ("ADDED", lambda line: f"{moment(line['created_at'])} by {line['created_by']}"),
        ],
    )


@user.command("password")
@options
@click.argument("name")
@password_file
def set_password(
    config: Path | None, root: str | None, style: str, name: str, password_file: str | None
) -> None:
    """Give a user another password."""
    password = read_password(password_file, f"New password of {name}")
    done = administer(config, root, "user password", name=name, password=password)
    say(done, style, "{name} has another password")


@user.command("set")
@options
@click.argument("name")
@click.option("--disable/--enable", "disabled", default=None, help="Whether they may sign in.")
@click.option("--owner/--no-owner", "owner", default=None, help="Whether they own the registry.")
@click.option("--auditor/--no-auditor", "auditor", default=None, help="Whether they audit it.")
def change_user(
    config: Path | None,
    root: str | None,
    style: str,
    name: str,
    disabled: bool | None,
    owner: bool | None,
    auditor: bool | None,
) -> None:
    """Disable or enable a user or a robot; make a user an owner or an auditor, or not."""
    if disabled is owner is auditor is None:
        raise click.UsageError(
            "say what to change: --disable, --owner, --auditor or their opposites"
        )
    flags = {"disabled": disabled, "owner": owner, "auditor": auditor}
    say(administer(config, root, "user change", name=name, **flags), style, "{name} is changed")


@user.command("remove")
@options
@click.argument("name")
def remove_user(config: Path | None, root: str | None, style: str, name: str) -> None:
    """Remove a user, with their grants and tokens."""
    say(administer(config, root, "user remove", name=name), style, "user {name} is removed")


@click.group()
def group() -> None:
    """Manage groups and their members."""


@group.command("add")
@options
@click.argument("name")
def add_group(config: Path | None, root: str | None, style: str, name: str) -> None:
    """Add a group, to which grants can be given."""
    say(administer(config, root, "group add", name=name), style, "group {name} is added")


@group.command("list")
@options
def list_groups(config: Path | None, root: str | None, style: str) -> None:
    """List the groups and their members."""
    show(
        administer(config, root, "group list"),
        style,
        [
            ("NAME", lambda line: line["name"]),
            ("MEMBERS", lambda line: " ".join(line["members"]) or "-"),
        ],
    )


@group.command("remove")
@options
@click.argument("name")
def remove_group(config: Path | None, root: str | None, style: str, name: str) -> None:
    """Remove a group, with its grants; its members stay."""
    say(administer(config, root, "group remove", name=name), style, "group {name} is removed")


@group.command("join")
@options
@click.argument("name")
@click.argument("member")
def add_member(config: Path | None, root: str | None, style: str, name: str, member: str) -> None:
    """Add a user or a robot to a group."""
    done = administer(config, root, "group member add", name=name, member=member)
    say(done, style, "{member} is in group {name}")


@group.command("leave")
@options
@click.argument("name")
@click.argument("member")
def remove_member(
    config: Path | None, root: str | None, style: str, name: str, member: str
) -> None:
    """Take a user or a robot out of a group."""
    done = administer(config, root, "group member remove", name=name, member=member)
    say(done, style, "{member} is no longer in group {name}")


@click.group()
def robot() -> None:
    """Manage robots: accounts of programs, such as CI and deploy hosts."""


@robot.command("add")
@options
@click.argument("name")
@click.option("--pull", multiple=True, metavar="PATTERN", help="Let it pull from PATTERN.")
@click.option("--create", multiple=True, metavar="PATTERN", help="And push new tags.")
@click.option("--push", multiple=True, metavar="PATTERN", help="And move tags.")
@click.option("--maintain", multiple=True, metavar="PATTERN", help="And delete.")
@click.option("--expires", type=Duration(), metavar="DURATION", help="Such as 90d.")
def add_robot(
    config: Path | None,
    root: str | None,
    style: str,
    name: str,
    expires: int | None,
    **given: tuple[str, ...],
) -> None:
    """Add a robot, and print its secret, which is shown this once.

    A PATTERN is a repository's name, a prefix such as 'team/*', or '*'.
    """
    grants = [[role, pattern] for role, patterns in given.items() for pattern in patterns]
    done = administer(config, root, "robot add", name=name, grants=grants, life_ms=expires)
    say_minted(done, style)


@robot.command("list")
@options
def list_robots(config: Path | None, root: str | None, style: str) -> None:
    """List the robots, with their tokens."""
    show(
        administer(config, root, "robot list"),
        style,
        [
            ("NAME", lambda line: line["name"]),
            ("STATE", state),
            ("TOKENS", lambda line: "\n".join(map(describe_token, line["tokens"])) or "-"),
        ],
    )


@robot.command("remove")
@options
@click.argument("name")
def remove_robot(config: Path | None, root: str | None, style: str, name: str) -> None:
    """Remove a robot, with its grants and tokens."""
    say(administer(config, root, "robot remove", name=name), style, "robot {name} is removed")


@click.group()
def token() -> None:
    """Mint, list and revoke the tokens of users and robots."""


@token.command("add")
@options
@click.argument("name")
@click.option("--label", default="", help="A word on what it is for.")
@click.option("--expires", type=Duration(), metavar="DURATION", help="Such as 90d.")
@click.option(
    "--only",
    nargs=2,
    multiple=True,
    metavar="ROLE PATTERN",
    help="Narrow it: no more than ROLE on PATTERN. Several add up.",
)
def add_token(
    config: Path | None,
    root: str | None,
    style: str,
    name: str,
    label: str,
    expires: int | None,
    only: tuple[tuple[str, str], ...],
) -> None:
    """Mint a token for a user or a robot, and print it, which is done this once."""
    limits = [list(pair) for pair in only] or None
    done = administer(
        config, root, "token add", name=name, label=label, limits=limits, life_ms=expires
    )
    say_minted(done, style)


@token.command("list")
@options
@click.argument("name", required=False)
def list_tokens(config: Path | None, root: str | None, style: str, name: str | None) -> None:
    """List the tokens of one user or robot, or of all."""
    show(
        administer(config, root, "token list", name=name),
        style,
        [
            ("ID", lambda line: line["id"]),
            ("OF", lambda line: line["principal"]),
            ("LABEL", lambda line: line["label"] or "-"),
            ("FOR", describe_limits),
            ("EXPIRES", lambda line: moment(line["expires_at"])),
            ("LAST USED", describe_use),
        ],
    )


@token.command("revoke")
@options
@click.argument("id")
def revoke_token(config: Path | None, root: str | None, style: str, id: str) -> None:
    """Revoke a token: the next request with it is refused."""
    say(
        administer(config, root, "token revoke", id=id),
        style,
        "token {id} of {principal} is revoked",
    )


def say_minted(documents: Any, style: str) -> None:
    sentence = (
        "{secret}\n\nThis secret of {name} is shown once. Sign in with\n"
        "  docker login -u {name} --password-stdin REGISTRY"
    )
    say(documents, style, sentence)


def rights(line: Mapping[str, Any]) -> str:
    words = (("owner", line["is_owner"]), ("auditor", line["is_auditor"]))
    return " ".join(word for word, is_set in words if is_set) or "-"


def state(line: Mapping[str, Any]) -> str:
    disabled = line["disabled_at"]
    return "enabled" if disabled is None else f"disabled {moment(disabled)}"


def describe_token(line: Mapping[str, Any]) -> str:
    return f"{line['id']} expires {moment(line['expires_at'])}, used {describe_use(line)}"


def describe_limits(line: Mapping[str, Any]) -> str:
    limits = line["limits"]
    if limits is None:
        return "all grants"
    return ", ".join(f"{role} {pattern}" for role, pattern in limits)


def describe_use(line: Mapping[str, Any]) -> str:
    used = moment(line["last_used_at"])
    return used if line["last_used_from"] is None else f"{used} from {line['last_used_from']}"
