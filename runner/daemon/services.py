"""Services: what the handlers may call; app.py makes it."""

from dataclasses import dataclass

from runner.config import RunnerSettings
from runner.services.containers.containers import Containers
from runner.services.events import Events
from runner.services.execs import Execs
from runner.services.images.images import Images
from runner.services.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Services:
    """Every service of one daemon, and the settings it was started with.

    ``warnings`` say what the user of this machine should know; ``info`` shows them.
    """

    settings: RunnerSettings
    containers: Containers
    execs: Execs
    images: Images
    volumes: Volumes
    events: Events
    warnings: tuple[str, ...] = ()
