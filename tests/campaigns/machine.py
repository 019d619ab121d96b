"""Any sequence of requests, crashes among them, leaves what the model of the spec has.

The model is plain dicts.  Leases are long here, so the collector, which runs all the time, may
take nothing that anybody can see.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.campaigns.content import Blob, Manifest, a_blob, an_image, an_index
from tests.campaigns.crash import SETTINGS
from tests.campaigns.wire import Answer, Connection, Cut
from tests.campaigns.zygote import CrashingRegistry, Zygote
from tests.support.ports import free_port

T = TypeVar("T")

REPOSITORIES = ("a/x", "b")
TAGS = ("one", "two")
BLOBS = tuple(a_blob(f"blob {number} ".encode() * (1 + 900 * number)) for number in range(5))

repositories = st.sampled_from(REPOSITORIES)
tags = st.sampled_from(TAGS)
some_blobs = st.sampled_from(BLOBS)
layers = st.lists(some_blobs, max_size=2)
tag_sets = st.lists(tags, max_size=2, unique=True)
# In tenths of the time that a push takes: from before it arrives until after it was answered.
moments = st.lists(st.integers(0, 20), min_size=1, max_size=2)


class RegistryMachine(RuleBasedStateMachine):
    """A real server beside a model of what it should hold.

    The state after a crash is up to the moment, and Hypothesis gives up ("inconsistent data
    generation") on a machine that offers other rules when it is run again: no precondition asks
    what a crash may have left.
    """

    zygote: Zygote
    roots: Iterator[Path]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        port = free_port()
        collector = {**SETTINGS, "REGISTRY_GC__LEASE_SECONDS": "3600"}
        self.registry = CrashingRegistry(self.zygote, next(self.roots), port, collector)
        self.connection = Connection(port)
        self.blobs: set[tuple[str, str]] = set()
        self.manifests: dict[tuple[str, str], Manifest] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.sessions: dict[str, tuple[str, Blob, int]] = {}
        self.known: set[str] = set()
        self.crashes = itertools.count()
        self.push_seconds = 0.01

    @initialize()
    def start(self) -> None:
        self.registry.start()

    def teardown(self) -> None:
        self.connection.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
        self.registry.kill()

    # Blobs.

    @rule(repository=repositories, blob=some_blobs, parts=st.integers(0, 3))
    def push_blob(self, repository: str, blob: Blob, parts: int) -> None:
        self._push_blob(repository, blob, parts)

    @rule(blob=some_blobs)
    def push_blob_everywhere(self, blob: Blob) -> None:
        for repository in REPOSITORIES:
            self._push_blob(repository, blob, 0)

    @rule(repository=repositories, blob=some_blobs, source=repositories)
    def mount(self, repository: str, blob: Blob, source: str) -> None:
        query = f"?mount={blob.digest}&from={source}"
        answer = self._ask("POST", f"/v2/{repository}/blobs/uploads/{query}")
        assert answer.status == (201 if (source, blob.digest) in self.blobs else 202)
        if answer.status == 201:
            self._has(repository, blob)

    @rule(repository=repositories, blob=some_blobs)
    def delete_blob(self, repository: str, blob: Blob) -> None:
        self._delete_blob(repository, blob)

    @rule(choice=st.integers(0, 99))
    def delete_blob_that_is_here(self, choice: int) -> None:
        if not self.blobs:
            return
        repository, digest = sorted(self.blobs)[choice % len(self.blobs)]
        self._delete_blob(repository, next(blob for blob in BLOBS if blob.digest == digest))

    @rule(repository=repositories, blob=some_blobs)
    def open_session(self, repository: str, blob: Blob) -> None:
        location = self._ask("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
        half = blob.content[: len(blob.content) // 2]
        assert self._ask("PATCH", location, half).status == 202
        self.sessions[location] = repository, blob, len(half)

    @precondition(lambda self: self.sessions)
    @rule()
    def finish_session(self) -> None:
        location, (repository, blob, offset) = self.sessions.popitem()
        assert self._ask("GET", location).headers["range"] == f"0-{offset - 1}"
        answer = self._ask("PUT", f"{location}?digest={blob.digest}", blob.content[offset:])
        assert answer.status == 201
        self._has(repository, blob)

    # Manifests and tags.

    @rule(repository=repositories, layers=layers, names=tag_sets)
    def push_image(self, repository: str, layers: list[Blob], names: list[str]) -> None:
        self._push_image(repository, an_image(BLOBS[0], layers), names)

    @rule(repository=repositories, layers=layers)
    def push_image_without_its_blobs(self, repository: str, layers: list[Blob]) -> None:
        image = an_image(BLOBS[0], layers)
        absent = {blob.digest for blob in image.blobs} - self._members(repository)
        answer = self._put(repository, image, ())
        assert answer.status == (404 if absent else 201), answer
        if absent:
            entries = json.loads(answer.body)["errors"]
            assert {entry["code"] for entry in entries} == {"MANIFEST_BLOB_UNKNOWN"}
            assert {entry["detail"]["digest"] for entry in entries} == absent
        else:
            self._points(repository, image, ())

    @rule(choice=st.integers(0, 99), names=tag_sets)
    def push_index(self, choice: int, names: list[str]) -> None:
        if not self.manifests:
            return
        repository, child = self._choose(choice)
        index = an_index([child], "")
        assert self._put(repository, index, names).status == 201
        self._points(repository, index, names)

    @rule(choice=st.integers(0, 99))
    def push_referrer(self, choice: int) -> None:
        if not self.manifests:
            return
        repository, subject = self._choose(choice)
        self._push_image(repository, an_image(BLOBS[0], [], subject=subject), ())

    @rule(repository=repositories, tag=tags)
    def delete_tag(self, repository: str, tag: str) -> None:
        status = self._ask("DELETE", f"/v2/{repository}/manifests/{tag}").status
        assert status == (202 if (repository, tag) in self.tags else 404)
        self.tags.pop((repository, tag), None)

    @rule(choice=st.integers(0, 99))
    def delete_manifest(self, choice: int) -> None:
        if not self.manifests:
            return
        repository, manifest = self._choose(choice)
        target = f"/v2/{repository}/manifests/{manifest.digest}"
        assert self._ask("DELETE", target).status == 202
        assert self._ask("GET", target).status == 404
        del self.manifests[repository, manifest.digest]
        self.tags = {
            (where, tag): digest
            for (where, tag), digest in self.tags.items()
            if (where, digest) != (repository, manifest.digest)
        }

    # Ends of the process.

    @rule()
    def crash(self) -> None:
        self.registry.kill()
        self._restart()

    @rule()
    def stop(self) -> None:
        assert self.registry.stop() == 0
        self._restart()

    @rule(repository=repositories, layers=layers, names=tag_sets, moments=moments)
    def crash_in_a_push(
        self, repository: str, layers: list[Blob], names: list[str], moments: list[int]
    ) -> None:
        """Pushes with tags that may be cut: all of each happened, or nothing."""
        for moment in moments:
            # Of an image that was here before, nobody could tell whether this push happened.
            image = an_image(BLOBS[0], layers, note=f"crash {next(self.crashes)}")
            for blob in image.blobs:
                self._push_blob(repository, blob, 0)
            # How long this takes just now.
            whole = an_image(BLOBS[0], layers)
            assert self._put(repository, whole, ()).status == 201
            self._points(repository, whole, ())
            answered = self._run(self._put_and_crash(repository, image, names, moment))
            self._restart()
            target = f"/v2/{repository}/manifests/"
            found = self._ask("HEAD", target + image.digest).status == 200
            assert found or not answered
            if found:
                self._points(repository, image, names)
            self._compare_tags(repository)

    # Invariants.

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if not self.registry.is_alive:
            return
        for repository in REPOSITORIES:
            self._compare_tags(repository)
            for blob in BLOBS:
                status = self._ask("HEAD", f"/v2/{repository}/blobs/{blob.digest}").status
                assert (status == 200) == ((repository, blob.digest) in self.blobs), blob
        for (repository, digest), manifest in self.manifests.items():
            answer = self._ask("GET", f"/v2/{repository}/manifests/{digest}")
            assert (answer.status, answer.body) == (200, manifest.content)
            self._compare_referrers(repository, digest)

    def _compare_tags(self, repository: str) -> None:
        answer = self._ask("GET", f"/v2/{repository}/tags/list")
        assert answer.status == (200 if repository in self.known else 404)
        listed = set(json.loads(answer.body).get("tags", ()))
        assert listed == {tag for where, tag in self.tags if where == repository}
        for tag in TAGS:
            answer = self._ask("GET", f"/v2/{repository}/manifests/{tag}")
            expected = self.tags.get((repository, tag))
            assert answer.headers.get("docker-content-digest") == expected

    def _compare_referrers(self, repository: str, digest: str) -> None:
        answer = self._ask("GET", f"/v2/{repository}/referrers/{digest}")
        listed = {entry["digest"] for entry in json.loads(answer.body)["manifests"]}
        expected = {
            referrer
            for (where, referrer), manifest in self.manifests.items()
            if where == repository
            and json.loads(manifest.content).get("subject", {}).get("digest") == digest
        }
        assert listed == expected

    # How it is done.

    def _push_blob(self, repository: str, blob: Blob, parts: int) -> None:
        uploads = f"/v2/{repository}/blobs/uploads/"
        if not parts:
            assert self._ask("POST", f"{uploads}?digest={blob.digest}", blob.content).status == 201
            return self._has(repository, blob)
        location = self._ask("POST", uploads).headers["location"]
        step = -(-len(blob.content) // parts)
        for start in range(0, len(blob.content), step):
            chunk = blob.content[start : start + step]
            headers = {"Content-Range": f"{start}-{start + len(chunk) - 1}"}
            assert self._ask("PATCH", location, chunk, headers).status == 202
        assert self._ask("PUT", f"{location}?digest={blob.digest}").status == 201
        return self._has(repository, blob)

    def _delete_blob(self, repository: str, blob: Blob) -> None:
        status = self._ask("DELETE", f"/v2/{repository}/blobs/{blob.digest}").status
        named = any(
            where == repository and blob in manifest.blobs
            for (where, _), manifest in self.manifests.items()
        )
        if (repository, blob.digest) not in self.blobs:
            assert status == 404
        elif named:
            assert status in (405, 409)
        else:
            assert status == 202
            self.blobs.discard((repository, blob.digest))

    def _push_image(self, repository: str, image: Manifest, names: list[str] | tuple[()]) -> None:
        for blob in image.blobs:
            self._push_blob(repository, blob, 0)
        assert self._put(repository, image, names).status == 201
        self._points(repository, image, names)

    def _put(self, repository: str, manifest: Manifest, names: list[str] | tuple[()]) -> Answer:
        begun = time.monotonic()
        answer = self._run(self._putting(repository, manifest, names))
        self.push_seconds = time.monotonic() - begun
        return answer

    async def _putting(
        self, repository: str, manifest: Manifest, names: list[str] | tuple[()]
    ) -> Answer:
        query = "&".join(f"tag={name}" for name in names)
        target = f"/v2/{repository}/manifests/{manifest.digest}?{query}"
        headers = {"Content-Type": manifest.media_type}
        return await self.connection.request("PUT", target, manifest.content, headers)

    async def _put_and_crash(
        self, repository: str, manifest: Manifest, names: list[str], moment: int
    ) -> bool:
        """Whether it was answered before the server was killed."""
        push = asyncio.ensure_future(self._putting(repository, manifest, names))
        await asyncio.wait([push], timeout=moment / 10 * self.push_seconds)
        self.registry.kill()
        try:
            return (await push).status == 201
        except Cut:
            return False

    def _points(self, repository: str, manifest: Manifest, names: list[str] | tuple[()]) -> None:
        self.known.add(repository)
        self.manifests[repository, manifest.digest] = manifest
        self.tags |= {(repository, name): manifest.digest for name in names}

    def _has(self, repository: str, blob: Blob) -> None:
        self.known.add(repository)
        self.blobs.add((repository, blob.digest))

    def _members(self, repository: str) -> set[str]:
        return {digest for where, digest in self.blobs if where == repository}

    def _choose(self, choice: int) -> tuple[str, Manifest]:
        (repository, _), manifest = sorted(self.manifests.items())[choice % len(self.manifests)]
        return repository, manifest

    def _restart(self) -> None:
        self.connection.close()
        self.registry.start()

    def _ask(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        return self._run(self.connection.request(method, target, body, headers))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


def machine_campaign(zygote: Zygote, directory: Path, *, examples: int, steps: int) -> None:
    """Run so many sequences of up to so many steps; raises what the first wrong one shows."""

    class Machine(RegistryMachine):
        pass

    Machine.zygote = zygote
    Machine.roots = (directory / f"root-{number}" for number in itertools.count())
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            # A shorter example would take longer to find than a test may take.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
