"""Services: the services available to handlers, built by app.py."""

from dataclasses import dataclass

from runner.config import RunnerSettings
from runner.services.containers.containers import Containers
from runner.services.events import Events
from runner.services.execs import Execs
from runner.services.images.images import Images
from runner.services.streams import ContainerStreams
from runner.services.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one daemon, and its settings.

    ``warnings`` about this host are shown by ``info``.
    """

    settings: RunnerSettings
    containers: Containers
    streams: ContainerStreams
    execs: Execs
    images: Images
    volumes: Volumes
    events: Events
    warnings: tuple[str, ...] = ()
