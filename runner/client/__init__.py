"""The client of the daemon's API."""

from runner.client.daemon import DaemonClient
from runner.client.wire import DaemonRefused, DaemonUnreachable

__all__ = ["DaemonClient", "DaemonRefused", "DaemonUnreachable"]
