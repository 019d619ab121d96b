import asyncio

import pytest

from runner.services.events import MAX_HISTORY, MAX_QUEUED, Event, Events


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events(clock: Clock) -> Events:
    return Events(clock)


async def test_everyone_who_listens_is_told(events: Events) -> None:
    first, second = events.subscribe(), events.subscribe()

    events.publish("container", "start", "abc", {"name": "web"})

    expected = Event("container", "start", "abc", {"name": "web"}, 100.0)
    assert await anext(first) == expected
    assert await anext(second) == expected


async def test_one_is_subscribed_before_asking_for_the_first_event(events: Events) -> None:
    listening = events.subscribe()
    events.publish("container", "start", "abc")
    events.publish("container", "die", "abc")

    assert [(await anext(listening)).action, (await anext(listening)).action] == ["start", "die"]


async def test_the_past_is_told_from_when_it_was_asked_for(events: Events, clock: Clock) -> None:
    for moment in (100.0, 101.0, 102.0):
        clock.now = moment
        events.publish("container", f"at {moment}", "abc")

    listening = events.subscribe(since=101.0, until=102.0)

    assert [event.action async for event in listening] == ["at 101.0", "at 102.0"]


async def test_listening_ends_when_its_time_is_over(events: Events, clock: Clock) -> None:
    listening = events.subscribe(until=clock.now + 0.01)

    async with asyncio.timeout(60):
        assert [event async for event in listening] == []


async def test_only_the_last_events_are_remembered(events: Events) -> None:
    for number in range(MAX_HISTORY + 5):
        events.publish("image", "pull", str(number))

    listening = events.subscribe(since=0)

    assert (await anext(listening)).id == "5"


async def test_a_subscriber_far_behind_is_let_go(events: Events) -> None:
    listening = events.subscribe()
    for number in range(MAX_QUEUED + 10):
        events.publish("image", "pull", str(number))

    told = [event.id async for event in listening]

    assert len(told) == MAX_QUEUED


async def test_a_published_event_cannot_be_changed_later(events: Events) -> None:
    attributes = {"name": "web"}
    listening = events.subscribe()
    events.publish("container", "start", "abc", attributes)

    attributes["name"] = "other"

    assert (await anext(listening)).attributes == {"name": "web"}
