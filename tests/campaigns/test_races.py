"""Two registries on the same rows: each pair of units once here, and often by campaign-races."""

import asyncio
from pathlib import Path

import pytest

from oci.reference import Tag
from registry.errors import PreconditionFailed
from tests.campaigns.races import ONE, OTHER, PAIRS, push_blobs_again, race_all, two_services
from tests.support.memory import directory_in_memory

ROUNDS = 1
# Of two that both expect the same of a tag, one is right; each time.
CONDITIONAL_ROUNDS = 20


async def test_every_pair_of_units_on_the_same_rows_ends_as_one_after_the_other(
    tmp_path: Path,
) -> None:
    with directory_in_memory(tmp_path) as directory:
        assert await race_all(directory, ROUNDS) == len(PAIRS) * ROUNDS


async def test_of_two_pushes_with_one_precondition_one_succeeds(tmp_path: Path) -> None:
    with directory_in_memory(tmp_path) as directory:
        async with two_services(directory / "root") as services:
            await push_blobs_again(services[0])
            for number in range(CONDITIONAL_ROUNDS):
                tag = Tag(f"v{number}")
                outcomes = await asyncio.gather(
                    *(
                        service.repository().manifests.push(
                            tag, image.manifest, image.media_type, if_absent=True
                        )
                        for service, image in zip(services, (ONE, OTHER), strict=True)
                    ),
                    return_exceptions=True,
                )

                refused = [each for each in outcomes if isinstance(each, PreconditionFailed)]
                if len(refused) != 1:
                    pytest.fail(f"both pushes of {tag} ended alike: {outcomes}")
