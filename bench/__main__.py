"""``python -m bench``: measure, and print one table."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from bench import registry_rows, runner_rows
from bench.registry_rows import Bench
from bench.servers import Missing
from bench.table import Row, render

ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "get": registry_rows.get_blob,
    "put": registry_rows.put_blob,
    "manifest": registry_rows.get_manifest,
    "small": registry_rows.get_small_blob,
    "memory": registry_rows.memory,
    "pull": runner_rows.pull,
    "run": runner_rows.run,
}
MIB = 1024 * 1024


@click.command()
@click.option("--rows", default=",".join(ROWS), show_default=True, help="Which rows, by name.")
@click.option("--size", default=1024, show_default=True, help="MiB of a large blob.")
@click.option("--rounds", default=3, show_default=True, help="How often each is measured.")
@click.option("--directory", type=click.Path(path_type=Path), help="Where the bytes go for now.")
def main(rows: str, size: int, rounds: int, directory: Path | None) -> None:
    """Measure ours beside docker-registry, nginx and docker, all in this run."""
    wanted = rows.split(",")
    if unknown := set(wanted) - set(ROWS):
        raise click.BadParameter(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=directory) as scratch:
        for name in wanted:
            path = Path(scratch) / name
            path.mkdir()
            bench = Bench(path, size * MIB, rounds)
            click.echo(f"measuring {name} …", err=True)
            try:
                found += ROWS[name](bench)
            except Missing as missing:
                click.echo(f"  left out: {missing} is not here", err=True)
            _remove(path)
    click.echo(f"{os.cpu_count()} processors; medians of {rounds} rounds; servers take turns")
    click.echo(render(found))


def _remove(path: Path) -> None:
    for entry in sorted(path.rglob("*"), reverse=True):
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
