"""Validate names of containers and volumes; generate names and IDs."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from runner.errors import BadRequest, Conflict, Kind

MAX_NAME: Final = 253
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
# The ID of a container, an exec, an anonymous volume or, after its algorithm, of an image.
ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

# fmt: off
_ADJECTIVES: Final = (
    "able", "amber", "bold", "brave", "brisk", "bright", "calm", "candid", "clear", "clever",
    "cosy", "crisp", "daring", "deft", "eager", "early", "fair", "fond", "frank", "fresh",
    "gentle", "glad", "golden", "grand", "happy", "hardy", "honest", "jolly", "keen", "kind",
    "lively", "lucid", "lucky", "mellow", "merry", "mild", "neat", "nimble", "noble", "patient",
    "plucky", "polite", "proud", "quick", "quiet", "ready", "robust", "serene", "sharp", "silver",
    "smooth", "snug", "solid", "spry", "steady", "sunny", "swift", "tidy", "trusty", "vivid",
    "warm", "wise", "witty", "zesty",
)
_SHIPS: Final = (
    "ark", "barge", "bark", "boat", "brig", "canoe", "caravel", "carrack", "catamaran", "clipper",
    "cog", "coracle", "corvette", "currach", "cutter", "dhow", "dinghy", "dory", "felucca",
    "ferry", "frigate", "galleon", "galley", "gondola", "hoy", "hulk", "jolly", "junk", "kayak",
    "ketch", "launch", "liner", "longship", "lugger", "packet", "pinnace", "pram", "proa", "punt",
    "raft", "schooner", "scow", "shallop", "skiff", "sloop", "smack", "tartane", "tender",
    "trawler", "trireme", "tug", "umiak", "wherry", "whaler", "xebec", "yacht", "yawl", "zebec",
)
# fmt: on


def check_name(name: str, kind: str = "container") -> str:
    """Return the name, or raise BadRequest if it is invalid."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise BadRequest(
            f"invalid {kind} name {name[:80]!r}: expected a letter or digit, "
            "then at least one of letters, digits, '_', '.' or '-'",
            kind=Kind.VOLUME_NAME_INVALID if kind == "volume" else None,
        )
    return name


def check_container_name(name: str) -> str:
    """Return the container name, or raise BadRequest; one like an ID would hide a container."""
    if ID.fullmatch(check_name(name)):
        raise BadRequest(f"invalid container name {name!r}: 64 hex characters are an ID")
    return name


def generate_name(is_taken: Callable[[str], bool]) -> str:
    """Generate an unused name of an adjective and a ship."""
    for attempt in range(100):
        name = f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_SHIPS)}"
        if attempt >= 10:
            name = f"{name}{secrets.randbelow(1000)}"
        if not is_taken(name):
            return name
    raise Conflict("cannot generate an unused container name: give one with --name")


def new_id() -> str:
    """Generate an ID for a container, exec or anonymous volume: 64 hex characters.

    The first twelve include a letter, so that the short ID is never taken for a number.
    """
    while (identifier := secrets.token_hex(32))[:12].isdigit():
        continue
    return identifier
