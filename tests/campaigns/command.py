"""``python -m tests.campaigns.command CAMPAIGN``: as long as one likes."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.campaigns.crash import crash_campaign
from tests.campaigns.faults import fault_campaign
from tests.campaigns.machine import machine_campaign
from tests.campaigns.powerloss import powerloss_campaign
from tests.campaigns.proxy import proxy_campaign
from tests.campaigns.races import race_all
from tests.campaigns.soak import gc_soak
from tests.campaigns.tags import tag_campaign
from tests.campaigns.zygote import a_zygote
from tests.support.ports import free_port


@click.group()
def main() -> None:
    """Campaigns against real servers; each prints its seed, and keeps what went wrong."""


seed_option = click.option("--seed", type=int, help="Default: the time.")
directory_option = click.option(
    "--directory", type=click.Path(path_type=Path), help="Where roots and logs go."
)
source_option = click.option(
    "--source", type=click.Path(path_type=Path), help="Another checkout to take the server from."
)


@main.command()
@click.option("--rounds", default=30, show_default=True)
@click.option("--jumps", is_flag=True, help="Give every life of the server another wall clock.")
@seed_option
@directory_option
@source_option
def crash(
    rounds: int, jumps: bool, seed: int | None, directory: Path | None, source: Path | None
) -> None:
    """Kill the server at random moments, and judge what it leaves."""
    seed, place = _begin(seed, directory)
    begun = time.monotonic()
    with a_zygote(source) as zygote:
        result = crash_campaign(
            zygote, place, free_port(), rounds=rounds, seed=seed, jumps=jumps, tell=click.echo
        )
    click.echo(f"seed {seed}: {result}, {time.monotonic() - begun:.0f} s")
    sys.exit(bool(result.violations))


@main.command()
@click.option("--rounds", default=20, show_default=True)
@seed_option
@directory_option
@source_option
def powerloss(rounds: int, seed: int | None, directory: Path | None, source: Path | None) -> None:
    """Cut the power of the disk at random moments, and judge what it finds afterwards."""
    seed, place = _begin(seed, directory)
    begun = time.monotonic()
    with a_zygote(source) as zygote:
        result = powerloss_campaign(
            zygote, place, free_port(), rounds=rounds, seed=seed, tell=click.echo
        )
    click.echo(f"seed {seed}: {result}, {time.monotonic() - begun:.0f} s")
    sys.exit(bool(result.violations))


@main.command()
@click.option("--rounds", default=12, show_default=True)
@seed_option
@directory_option
@source_option
def faults(rounds: int, seed: int | None, directory: Path | None, source: Path | None) -> None:
    """Fill the disk, or make a call fail, and judge what is left."""
    seed, place = _begin(seed, directory)
    begun = time.monotonic()
    with a_zygote(source) as zygote:
        result = fault_campaign(
            zygote, place, free_port(), rounds=rounds, seed=seed, tell=click.echo
        )
    click.echo(f"seed {seed}: {result}, {time.monotonic() - begun:.0f} s")
    sys.exit(bool(result.violations))


@main.command()
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--clients", default=16, show_default=True)
@click.option("--races", is_flag=True, help="Finish and cancel sessions at once, and nothing else.")
@seed_option
@directory_option
@source_option
def soak(
    seconds: float,
    clients: int,
    races: bool,
    seed: int | None,
    directory: Path | None,
    source: Path | None,
) -> None:
    """Let clients work beside a collector that never rests."""
    seed, place = _begin(seed, directory)
    with a_zygote(source) as zygote:
        result = gc_soak(
            zygote,
            place,
            free_port(),
            seconds=seconds,
            clients=clients,
            seed=seed,
            tell=click.echo,
            only_races=races,
        )
    click.echo("\n".join([*result.violations[:20], f"seed {seed}: {result}"]))
    sys.exit(bool(result.violations))


@main.command()
@click.option("--rounds", default=40, show_default=True, help="Of each pair of units.")
@directory_option
def races(rounds: int, directory: Path | None) -> None:
    """Start every pair of units together, on two Databases with the same rows."""
    _, place = _begin(None, directory)
    begun = time.monotonic()
    count = asyncio.run(race_all(place, rounds, click.echo))
    click.echo(f"{count} races, {time.monotonic() - begun:.0f} s")


@main.command()
@click.option("--histories", default=40, show_default=True)
@seed_option
@directory_option
@source_option
def tags(histories: int, seed: int | None, directory: Path | None, source: Path | None) -> None:
    """Record what clients see of tags through crashes, and find an order that explains it."""
    seed, place = _begin(seed, directory)
    with a_zygote(source) as zygote:
        result = tag_campaign(
            zygote, place, free_port(), histories=histories, seed=seed, tell=click.echo
        )
    click.echo("\n".join([*result.violations, f"seed {seed}: {result}"]))
    sys.exit(bool(result.violations))


@main.command()
@click.option("--examples", default=12, show_default=True)
@click.option("--steps", default=30, show_default=True, help="The longest sequence of requests.")
@directory_option
@source_option
def machine(examples: int, steps: int, directory: Path | None, source: Path | None) -> None:
    """Compare a registry with a model of it, through any sequence of requests and crashes."""
    place = directory or Path(tempfile.mkdtemp(prefix="campaign-"))
    click.echo(f"roots and logs in {place}")
    begun = time.monotonic()
    with a_zygote(source) as zygote:
        machine_campaign(zygote, place, examples=examples, steps=steps)
    click.echo(f"{examples} sequences as the model says, {time.monotonic() - begun:.0f} s")


@main.command()
@click.option("--mebibytes", default=1127, show_default=True, help="The size of each blob.")
@directory_option
def proxy(mebibytes: int, directory: Path | None) -> None:
    """Push and pull large blobs through nginx."""
    _, place = _begin(None, directory)
    complaints = proxy_campaign(place, mebibytes=mebibytes, tell=click.echo)
    click.echo("\n".join(complaints) or "nginx wrote nothing to its own disk")
    sys.exit(bool(complaints))


def _begin(seed: int | None, directory: Path | None) -> tuple[int, Path]:
    seed = int(time.time()) if seed is None else seed
    place = directory or Path(tempfile.mkdtemp(prefix="campaign-"))
    click.echo(f"seed {seed}, roots and logs in {place}")
    return seed, place


if __name__ == "__main__":
    main()
