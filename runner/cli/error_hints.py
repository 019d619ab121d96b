"""error_message: one line with the error and, where one is known, a hint on what to try."""

_NAMES = "Is the name right? One without a host is at the default registry: see 'runner info'."
_REGISTRY = "Is the registry running, and is its address right?"

# By the words of the refusal, in small letters.
HINTS = (
    ("no such container", "Try 'runner ps --all'."),
    ("no such image", "Try 'runner images', or 'runner pull' it first."),
    ("no such volume", "Try 'runner volume ls'."),
    ("no such object", "Try 'runner ps --all', 'runner images' or 'runner volume ls'."),
    ("already in use by container", "Try 'runner rm' on the other one, or another --name."),
    ("is not running", "Try 'runner start' first."),
    ("is being used by stopped container", "Try 'runner rm' on it first, or 'runner rmi --force'."),
    ("is being used by running container", "Try 'runner stop' and 'runner rm' on it first."),
    ("unauthorized", "Try 'runner login' with the registry's name."),
    ("authentication required", "Try 'runner login' with the registry's name."),
    ("name_unknown", _NAMES),
    ("manifest_unknown", _NAMES),
    ("all connection attempts failed", _REGISTRY),
    ("connection refused", _REGISTRY),
    ("name or service not known", "No host has this name: is the address right?"),
    ("temporary failure in name resolution", "No host has this name: is the address right?"),
    ("only the networks none and host", "Try '--network host', or leave it out."),
    ("invalid volume name", "A directory of this machine begins with '/' or './'."),
    ("no space left on device", "Make room: 'runner rm' and 'runner rmi' give it back."),
)
# What a verb has its own idea of.
_OWN = {("login", "unauthorized"): "Are the user name and the password right?"}


def error_message(message: str, verb: str = "", *, hint: str | None = None) -> str:
    """What to write to stderr; a hint that is known already is not looked for."""
    if hint is None:
        said = message.lower()
        words, hint = next((pair for pair in HINTS if pair[0] in said), ("", ""))
        hint = _OWN.get((verb, words), hint)
    return f"Error: {lower_first(' '.join(message.split()))}\n" + (f"{hint}\n" if hint else "")


def lower_first(message: str) -> str:
    """A sentence that goes on after a colon begins small; a name in capitals stays."""
    if message[:1].isupper() and message[1:2].islower():
        return message[0].lower() + message[1:]
    return message
