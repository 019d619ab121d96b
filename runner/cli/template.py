"""Template: the subset of Go's text/template used in --format.

Fields (``{{.State.Pid}}``), ``json``, ``index``, ``len``, ``upper``, ``lower``, ``join``,
``println``, pipes, ``range``, ``if``/``else``, ``with``: enough for what scripts ask of docker.
https://pkg.go.dev/text/template
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

from runner.cli.arguments import UsageError
from runner.cli.template_functions import FUNCTIONS, format_value

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|\||[^\s()|]+)')
_TOO_DEEP = "template: blocks or parentheses are nested too deeply"

Node = Callable[[Any], str]


class Template:
    """A parsed template."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a template; UsageError names an unsupported action."""
        tokens = _tokens(text)
        try:
            nodes, ended = _block(tokens)
        except RecursionError:
            raise UsageError(_TOO_DEEP) from None
        if ended:
            raise UsageError(f"template: unexpected {{{{{ended}}}}}")
        return cls(nodes)

    def render(self, value: Any) -> str:
        """The text for a value; UsageError for a field or an argument that does not fit."""
        try:
            return "".join(node(value) for node in self._nodes)
        except RecursionError:
            raise UsageError(_TOO_DEEP) from None


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """Pieces of plain text (False) and actions (True)."""
    at, trim = 0, False
    for match in _ACTION.finditer(text):
        plain = text[at : match.start()]
        plain = plain.lstrip() if trim else plain
        yield False, plain.rstrip() if match[1] else plain
        yield True, match[2].strip()
        at, trim = match.end(), bool(match[3])
    rest = text[at:]
    if "{{" in rest:
        raise UsageError("template: an action is not closed: expected }}")
    yield False, rest.lstrip() if trim else rest


def _block(tokens: Iterator[tuple[bool, str]]) -> tuple[list[Node], str]:
    """Parse nodes up to the next ``end`` or ``else``, which is returned too ("" at the end)."""
    nodes: list[Node] = []
    for is_action, text in tokens:
        if not is_action:
            nodes.append(_plain(text))
            continue
        keyword, _, rest = text.partition(" ")
        if keyword in ("end", "else"):
            return nodes, text
        if keyword in _BLOCKS:
            nodes.append(_BLOCKS[keyword](_pipeline(rest), *_branches(tokens, keyword)))
        elif not text.startswith("/*"):
            nodes.append(_print_node(_pipeline(text)))
    return nodes, ""


def _plain(text: str) -> Node:
    return lambda _: text


def _branches(tokens: Iterator[tuple[bool, str]], keyword: str) -> tuple[Template, Template]:
    body, ended = _block(tokens)
    otherwise: list[Node] = []
    if ended.startswith("else if "):
        chained = Template(
            [_if(_pipeline(ended.removeprefix("else if ")), *_branches(tokens, keyword))]
        )
        return Template(body), chained
    if ended == "else":
        otherwise, ended = _block(tokens)
    if ended != "end":
        raise UsageError(f"template: {{{{{keyword}}}}} has no {{{{end}}}}")
    return Template(body), Template(otherwise)


Expression = Callable[[Any], Any]


def _if(condition: Expression, body: Template, otherwise: Template) -> Node:
    return lambda value: (body if condition(value) else otherwise).render(value)


def _with(subject: Expression, body: Template, otherwise: Template) -> Node:
    def render(value: Any) -> str:
        found = subject(value)
        return body.render(found) if found else otherwise.render(value)

    return render


def _range(subject: Expression, body: Template, otherwise: Template) -> Node:
    def render(value: Any) -> str:
        found = subject(value)
        if found and not isinstance(found, Mapping | list | tuple):
            raise UsageError(f"template: cannot range over {format_value(found)}")
        items = list(found.values()) if isinstance(found, Mapping) else list(found or ())
        return "".join(body.render(item) for item in items) if items else otherwise.render(value)

    return render


_BLOCKS = {"if": _if, "with": _with, "range": _range}


def _pipeline(text: str) -> Expression:
    """Parse commands joined by pipes; each result is the last argument of the next command."""
    words = _WORD.findall(text)
    if _WORD.sub("", text).strip():
        raise UsageError(f"template: cannot read {{{{{text}}}}}")
    expression, rest = _parse_pipeline(words, text)
    if rest:
        raise UsageError(f"template: a parenthesis too many in {{{{{text}}}}}")
    return expression


def _parse_pipeline(words: list[str], text: str) -> tuple[Expression, list[str]]:
    """Parse up to the end, or to a closing parenthesis, which is not consumed."""
    piped: Expression | None = None
    command: list[Expression | str] = []
    while words and words[0] != ")":
        word, words = words[0], words[1:]
        if word == "(":
            inner, words = _parse_pipeline(words, text)
            if not words:
                raise UsageError(f"template: a parenthesis is not closed in {{{{{text}}}}}")
            command.append(inner)
            words = words[1:]
        elif word == "|":
            piped, command = _command(command, piped, text), []
        else:
            command.append(word)
    return _command(command, piped, text), words


def _command(parts: list[Expression | str], piped: Expression | None, text: str) -> Expression:
    if not parts:
        raise UsageError(f"template: an empty command in {{{{{text}}}}}")
    head = parts[0]
    arguments = [part if callable(part) else _operand(part) for part in parts[1:]]
    if piped is not None:
        arguments.append(piped)
    if callable(head) or head not in FUNCTIONS:
        if arguments:
            raise UsageError(f"template: function {head!r} is not offered")
        return head if callable(head) else _operand(head)
    function = FUNCTIONS[head]

    def call(value: Any) -> Any:
        try:
            return function(*(argument(value) for argument in arguments))
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise UsageError(f"template: {head}: {error}") from error

    return call


def _operand(word: str) -> Expression:
    if word.startswith("`") and word.endswith("`", 1):
        return lambda _: word[1:-1]
    if word.startswith('"'):
        literal = _string(word)
        return lambda _: literal
    if word == "." or word.startswith((".", "$.")):
        path = [part for part in word.removeprefix("$").split(".") if part]
        return lambda value: _field(value, path)
    if word in ("true", "false"):
        return lambda _: word == "true"
    if _INTEGER.fullmatch(word):
        return lambda _: int(word)
    raise UsageError(f"template: cannot read {word!r}: expected a field such as .ID")


def _string(word: str) -> str:
    try:
        return str(json.loads(word))
    except ValueError as error:
        raise UsageError(f"template: cannot read {word}: {error}") from None


def _field(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        if value is None:
            return None
        if not isinstance(value, Mapping) or part not in value:
            raise UsageError(f"template: there is no field .{'.'.join(path)}")
        value = value[part]
    return value


def _print_node(expression: Expression) -> Node:
    return lambda value: format_value(expression(value))
