"""error_message: an error on one line, then a hint on a remedy where one is known."""

_NAMES = "Is the name right? One without a host is at the default registry: see 'runner info'."
_REGISTRY = "Is the registry running, and is its address right?"

_HOST = "No host has this name: is the address right?"

# Keys are the values of runner.errors.Kind, whose import would slow every command.
HINTS = {
    "container-absent": "Try 'runner ps --all'.",
    "container-not-running": "Try 'runner start' first.",
    "host-unknown": _HOST,
    "image-absent": "Try 'runner images', or 'runner pull' it first.",
    "image-absent-at-registry": _NAMES,
    "image-used-by-running": "Try 'runner stop' and 'runner rm' on it first.",
    "image-used-by-stopped": "Try 'runner rm' on it first, or 'runner rmi --force'.",
    "name-in-use": "Try 'runner rm' on the other one, or another --name.",
    "network-not-offered": "Try '--network host', or leave it out.",
    "no-space": "Make room: 'runner rm' and 'runner rmi' give it back.",
    "object-absent": "Try 'runner ps --all', 'runner images' or 'runner volume ls'.",
    "registry-unreachable": _REGISTRY,
    "unauthorized": "Try 'runner login' with this registry, or as another user.",
    "volume-absent": "Try 'runner volume ls'.",
    "volume-name-invalid": "A directory of this machine begins with '/' or './'.",
}
# Hints specific to a command.
_COMMAND_HINTS = {("login", "unauthorized"): "Are the user name and the password right?"}


def error_message(
    message: str, command: str = "", *, kind: str = "", hint: str | None = None
) -> str:
    """The text for stderr; without a hint, the one for the error's kind."""
    if hint is None:
        hint = _COMMAND_HINTS.get((command, kind)) or HINTS.get(kind, "")
    return f"Error: {lower_first(' '.join(message.split()))}\n" + (f"{hint}\n" if hint else "")


def lower_first(message: str) -> str:
    """Make the first letter small, except in a word in capitals."""
    if message[:1].isupper() and message[1:2].islower():
        return message[0].lower() + message[1:]
    return message
