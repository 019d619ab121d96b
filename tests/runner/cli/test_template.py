"""--format templates, beside what Go's text/template makes of them."""

from typing import Any

import pytest

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
     "{{.ID)}}", "{{.Absent}}", "{{.State.Absent}}", "{{index .Mounts 9}}", "{{template}}"],
)  # fmt: skip
def test_an_unknown_field_is_a_usage_error(template: str) -> None:
    with pytest.raises(UsageError, match="template: "):
        Template.parse(template).render(VALUE)
