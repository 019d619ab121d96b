"""Referrers: the query for manifests whose subject is a given digest."""

from __future__ import annotations

import json
from collections.abc import Generator

from sqlalchemy import Connection, select

from oci.descriptor import Descriptor
from oci.digest import Digest
from registry.storage.metadata.tables import manifests


def descriptors(
    connection: Connection,
    repository: int,
    subject: Digest,
    *,
    artifact_type: str | None,
    last: Digest | None,
    limit: int,
) -> Generator[Descriptor, None, None]:
    """Referrers after ``last``, ordered by digest; of one artifact type if given.

    Rows are read one at a time: the annotations of one may take 4 MiB.
    """
    row = manifests.c
    query = (
        select(row.digest, row.media_type, row.size, row.artifact_type, row.annotations)
        .where(row.repository_id == repository, row.subject == str(subject))
        .order_by(row.digest)
        .limit(limit)
    )
    if artifact_type is not None:
        query = query.where(row.artifact_type == artifact_type)
    if last is not None:
        query = query.where(row.digest > str(last))
    with connection.execute(query) as rows:
        for found in rows:
            yield Descriptor(
                media_type=found.media_type,
                digest=Digest.parse(found.digest),
                size=found.size,
                artifact_type=found.artifact_type,
                annotations=json.loads(found.annotations),
            )
