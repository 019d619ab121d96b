"""--format templates, beside what Go's text/template makes of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.arguments import UsageError
from runner.cli.template import Template

VALUE: dict[str, Any] = {
    "ID": "abc",
    "State": {"Pid": 7, "Running": True, "Error": ""},
    "Mounts": [{"Source": "/a"}, {"Source": "/b"}],
    "Labels": {"x": "1", "a.b": "2"},
    "Args": ["-c", "true"],
    "Health": None,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.ID}}", "abc"),
        ("{{ .ID }}", "abc"),
        ("{{.State.Pid}}/{{.State.Running}}", "7/true"),
        ("{{json .State}}", '{"Pid":7,"Running":true,"Error":""}'),
        ("{{.Args | json}}", '["-c","true"]'),
        ('{{index .Labels "a.b"}}', "2"),
        ('{{index .Labels "absent"}}', ""),
        ("{{(index .Mounts 1) | json}}", '{"Source":"/b"}'),
        ("{{range .Mounts}}[{{.Source}}]{{end}}", "[/a][/b]"),
        ("{{range .Health}}x{{else}}none{{end}}", "none"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if .State.Error}}bad{{else if .State.Running}}good{{end}}", "good"),
        ("{{if eq .State.Pid 7}}seven{{end}}", "seven"),
        ("{{if not .State.Error}}fine{{end}}", "fine"),
        ("{{with .State}}{{.Pid}}{{end}}", "7"),
        ("{{len .Mounts}}", "2"),
        ('{{join .Args " "}}', "-c true"),
        ("{{upper .ID}} {{lower `X`}}", "ABC x"),
        ("{{.Labels}}", "map[a.b:2 x:1]"),
        ("{{.Args}}", "[-c true]"),
        ("{{.Health}}", "<no value>"),
        ("a {{- .ID -}} b", "aabcb"),
        ("{{/* nothing */}}x", "x"),
        ("{{println .ID}}", "abc\n"),
        ("{{slice .ID 0 2}}", "ab"),
    ],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    assert Template.parse(template).render(VALUE) == text


@pytest.mark.parametrize(
    "template",
    ["{{.ID", "{{if .ID}}x", "{{end}}", "{{}}", "{{nonsense .ID}}", "{{ID}}", "{{(.ID}}",
     "{{.ID)}}", "{{.Absent}}", "{{.State.Absent}}", "{{index .Mounts 9}}", "{{template}}",
     "{{index .Mounts \u00b2}}", "{{--1}}"],
)  # fmt: skip
def test_an_unknown_field_is_a_usage_error(template: str) -> None:
    with pytest.raises(UsageError, match="template: "):
        Template.parse(template).render(VALUE)


PIECES = st.sampled_from([
    "{{", "}}", "{{- ", " -}}", "{{end}}", "{{else}}", "else if ", "if ", "range ", "with ", "/*",
    "json ", "join ", "split ", "slice ", "index ", "len ", "upper ", "println ", "eq ", "or ",
    ".ID ", ".State ", ".State.Pid ", ".Mounts ", ".Args ", ".Health ", "$.ID ", ". ", "true ",
    "0 ", "7 ", "-1 ", "² ", "--1 ", "`x` ", "` ", '"x" ', '"\\q" ', '" ', "(", ") ", "| ",
])  # fmt: skip
TEMPLATES = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)
ACTIONS = st.lists(PIECES, max_size=6).map(lambda pieces: "{{" + "".join(pieces) + "}}")


@given(TEMPLATES | ACTIONS)
def test_any_template_is_filled_or_a_usage_error(template: str) -> None:
    try:
        text = Template.parse(template).render(VALUE)
    except UsageError as refusal:
        assert str(refusal).startswith("template: ")
        return

    assert "{{" in template or text == template


@given(st.text(st.characters(exclude_characters="{")), st.text())
def test_plain_text_and_strings_come_out_as_they_went_in(plain: str, value: str) -> None:
    quoted = json.dumps(value, ensure_ascii=False)

    assert Template.parse(plain).render(VALUE) == plain
    assert Template.parse("{{print .}}").render(value) == value
    if "}}" not in quoted:
        assert Template.parse(f"{{{{print {quoted}}}}}").render(VALUE) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{end}}", "template: unexpected {{end}}"),
        ("{{.ID", "template: an action is not closed: expected }}"),
        ("{{if .ID}}x", "template: {{if}} has no {{end}}"),
        ("{{(.ID}}", "template: a parenthesis is not closed in {{(.ID}}"),
        ("{{.ID)}}", "template: a parenthesis too many in {{.ID)}}"),
        ("{{}}", "template: an empty command in {{}}"),
        ("{{nonsense .ID}}", "template: function 'nonsense' is not offered"),
        ("{{ID}}", "template: cannot read 'ID': expected a field such as .ID"),
        ("{{²}}", "template: cannot read '²': expected a field such as .ID"),
        ("{{.State.Absent}}", "template: there is no field .State.Absent"),
        ("{{range .State.Pid}}{{end}}", "template: cannot range over 7"),
        ("{{join .Args 1}}", "template: join: 'int' object has no attribute 'join'"),
        ("{{index .Mounts 9}}", "template: index: list index out of range"),
        (
            "{{if .ID}}" * 3_000,
            "template: blocks or parentheses are nested too deeply",
        ),
        (
            "{{" + "(not " * 3_000 + "true" + ")" * 3_000 + "}}",
            "template: blocks or parentheses are nested too deeply",
        ),
        (
            "{{" + "(not " * 700 + "true" + ")" * 700 + "}}",
            "template: blocks or parentheses are nested too deeply",
        ),
    ],
)
def test_a_usage_error_says_which_part_of_the_template_is_wrong(
    template: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        Template.parse(template).render(VALUE)

    assert str(caught.value) == message
