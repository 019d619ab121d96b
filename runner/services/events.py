"""Events: publish events to subscribers.

Engine API, ``SystemEvents``.
https://docs.docker.com/engine/api/v1.44/#tag/System/operation/SystemEvents
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

# Events kept for ``since``, as in moby.
MAX_HISTORY: Final = 256
# A subscriber this far behind is dropped, to bound the daemon's memory.
MAX_QUEUED: Final = 4096


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``time`` in seconds since the epoch.

    ``type`` is container, image or volume; ``action`` is the Engine API's.
    """

    type: str
    action: str
    id: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    time: float = 0.0


class Events:
    """Publishes events to all subscribers, and keeps the last MAX_HISTORY."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: deque[Event] = deque(maxlen=MAX_HISTORY)
        self._queues: set[asyncio.Queue[Event | None]] = set()

    def publish(
        self, type: str, action: str, id: str, attributes: Mapping[str, str] | None = None
    ) -> None:
        event = Event(type, action, id, dict(attributes or {}), self._clock())
        self._kept.append(event)
        for queue in tuple(self._queues):
            if queue.qsize() >= MAX_QUEUED:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def subscribe(
        self, *, since: float | None = None, until: float | None = None
    ) -> AsyncIterator[Event]:
        """The kept events since ``since``, then new ones; ends at ``until``.

        Subscribed when this returns, not at the first iteration.
        """
        past = [event for event in self._kept if since is not None and event.time >= since]
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        return self._listen(past, queue, until)

    async def _listen(
        self, past: list[Event], queue: asyncio.Queue[Event | None], until: float | None
    ) -> AsyncIterator[Event]:
        try:
            for event in past:
                if until is not None and event.time > until:
                    return
                yield event
            while (news := await self._next(queue, until)) is not None:
                yield news
        finally:
            self._queues.discard(queue)

    async def _next(self, queue: asyncio.Queue[Event | None], until: float | None) -> Event | None:
        timeout = None if until is None else until - self._clock()
        if timeout is not None and timeout <= 0:
            return None
        try:
            async with asyncio.timeout(timeout):
                return await queue.get()
        except TimeoutError:
            return None
