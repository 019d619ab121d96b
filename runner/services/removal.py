"""Remove: everything a container has on this host, and then its record."""

from runner.services.lifecycle import State
from runner.services.mount_points import forget_volume
from runner.services.outside import Outside
from runner.services.tracked import Tracked
from runner.storage.removal import remove as remove_tree
from runner.storage.threads import in_thread


async def remove(outside: Outside, tracked: Tracked, *, volumes: bool) -> None:
    """Forget a container that is at rest; killed in the middle, the next daemon goes on.

    With ``volumes``, the anonymous ones it brought go with it.
    """
    await outside.observe(tracked, state=State.REMOVING)
    for streams in tracked.attaching:
        streams.give_up()
    await outside.snapshotter.remove(tracked.id)
    await in_thread(remove_tree, tracked.places.directory)
    await outside.records.containers.remove(tracked.id)
    if volumes:
        for point in tracked.desired.mounts:
            if point.anonymous:
                await forget_volume(outside.volumes, point.volume)
    outside.tell(tracked, "destroy")
