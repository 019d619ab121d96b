"""login, logout: save and remove a registry's credentials."""

import sys
from getpass import getpass

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.client import DaemonClient
from runner.credentials import Credentials, CredentialStore


def _login_arguments(parser: Parser) -> None:
    parser.option("-u", "--username", metavar="NAME", help="user name")
    parser.option(
        "-p",
        "--password",
        metavar="PASSWORD",
        help="password (visible to others; use --password-stdin)",
    )
    parser.flag("--password-stdin", help="read the password from stdin")
    parser.argument("server", nargs="?", help="registry (default: the daemon's default registry)")


def _login(daemon: DaemonClient, args: Arguments) -> int:
    server = args.server or str(daemon.info()["IndexServerAddress"])
    username, password = _prompt_credentials(args)
    answer = daemon.auth({"username": username, "password": password, "serveraddress": server})
    token = str(answer.get("IdentityToken") or "")
    credentials = Credentials(username, "" if token else password, identity_token=token)
    saved = CredentialStore().save(server, credentials)
    if saved.plain:
        sys.stderr.write(
            f"WARNING: the password is stored unencrypted in {saved.where}; "
            "configure a credential helper to avoid this\n"
        )
    sys.stdout.write(f"{answer.get('Status', 'Login Succeeded')}\n")
    return 0


def _prompt_credentials(args: Arguments) -> tuple[str, str]:
    if args.password_stdin:
        if args.password is not None:
            raise UsageError("--password and --password-stdin cannot both be given")
        if not args.username:
            raise UsageError("--password-stdin needs --username")
        return args.username, sys.stdin.read().rstrip("\r\n")
    if args.password is not None:
        sys.stderr.write("WARNING: --password is seen by every user of this machine\n")
    if (args.username is None or args.password is None) and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on: use --username and --password-stdin")
    username = args.username if args.username is not None else input("Username: ")
    return username, args.password if args.password is not None else getpass("Password: ")


def _logout_arguments(parser: Parser) -> None:
    parser.argument("server", nargs="?", help="registry (default: the daemon's default registry)")


def _logout(daemon: DaemonClient, args: Arguments) -> int:
    server = args.server or str(daemon.info()["IndexServerAddress"])
    if CredentialStore().remove(server):
        sys.stdout.write(f"Removing login credentials for {server}\n")
    else:
        sys.stdout.write(f"Not logged in to {server}\n")
    return 0


COMMANDS = {"login": (_login_arguments, _login), "logout": (_logout_arguments, _logout)}
