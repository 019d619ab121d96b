"""``python -m bench``: measure, and print one table."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from bench import access_rows, registry_rows, runner_rows
from bench.registry_rows import Bench
from bench.servers import Missing
from bench.table import Row, render

ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "get": registry_rows.get_blob,
    "put": registry_rows.put_blob,
    "manifest": registry_rows.get_manifest,
    "small": registry_rows.get_small_blob,
    "bearer": access_rows.get_manifest_by_bearer,
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
    failed = False
    with tempfile.TemporaryDirectory(
        prefix="slipway-bench-", dir=directory, ignore_cleanup_errors=True
    ) as scratch:
        shared = Path(scratch)
        for name in wanted:
            click.echo(f"measuring {name} …", err=True)
            with tempfile.TemporaryDirectory(dir=shared, ignore_cleanup_errors=True) as own:
                try:
                    found += ROWS[name](Bench(Path(own), shared, size * MIB, rounds))
                except Missing as missing:
                    click.echo(f"  left out: {missing} is not here", err=True)
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    click.echo(f"  failed: {error}", err=True)
                    failed = True
    click.echo(f"{os.cpu_count()} processors; medians of {rounds} rounds; servers take turns")
    click.echo(render(found))
    sys.exit(failed)


if __name__ == "__main__":
    main()
