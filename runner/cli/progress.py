"""Progress of pull and push: a bar for each layer on a terminal, plain lines without one."""

from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from runner.client import DaemonRefused

Item = Mapping[str, Any]


def show(items: Iterable[Item], output: TextIO, *, quiet: bool) -> None:
    """Show every item; raises DaemonRefused for an error item."""
    if quiet:
        for item in items:
            _check(item)
    elif output.isatty():
        _bars(items, output)
    else:
        _lines(items, output)


def _check(item: Item) -> None:
    if "error" in item:
        # After the status line an error can only come as an item.
        detail = item.get("errorDetail") or {}
        raise DaemonRefused(500, str(item["error"]), str(detail.get("kind", "")))


def _lines(items: Iterable[Item], output: TextIO) -> None:
    """Print each step once, without byte counts."""
    printed: dict[str, str] = {}
    for item in items:
        _check(item)
        if line := _line(item):
            if printed.get(item.get("id", "")) != line or "id" not in item:
                output.write(line)
                output.flush()
            printed[item.get("id", "")] = line


def _line(item: Item) -> str:
    if stream := item.get("stream"):
        return str(stream) if str(stream).endswith("\n") else f"{stream}\n"
    status = item.get("status", "")
    if not status:
        return ""
    return f"{item['id']}: {status}\n" if item.get("id") else f"{status}\n"


def _bars(items: Iterable[Item], output: TextIO) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(file=output, highlight=False, markup=False)
    columns = (
        TextColumn("{task.fields[layer]}:", markup=False),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        DownloadColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}
        for item in items:
            _check(item)
            detail = item.get("progressDetail") or {}
            layer = str(item.get("id", ""))
            if not layer or not (layer in tasks or detail.get("total")):
                if line := _line(item):
                    progress.console.print(line.rstrip("\n"), soft_wrap=True)
                continue
            if layer not in tasks:
                tasks[layer] = progress.add_task("", layer=layer, total=detail.get("total"))
            progress.update(
                tasks[layer],
                description=str(item.get("status", "")),
                completed=detail.get("current"),
                total=detail.get("total"),
            )
