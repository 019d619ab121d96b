"""DaemonClient: one method per daemon endpoint, over the socket."""

from runner.client.daemon import DaemonClient
from runner.client.wire import DaemonRefused, DaemonUnreachable

__all__ = ["DaemonClient", "DaemonRefused", "DaemonUnreachable"]
