"""ServerConfig: uvicorn with nothing of its own that speaks, trusts or waits."""

from registry.server import SlipwayProtocol
from registry.server.config import ServerConfig
from tests.support.registry.raw_http import Probe
from tests.support.registry.settings import default_limits


def test_uvicorn_adds_no_header_no_log_and_no_trust_in_forwarded_addresses() -> None:
    limits = default_limits(keep_alive_seconds=1.5, shutdown_seconds=2.5)

    config = ServerConfig(Probe(), http=SlipwayProtocol, limits=limits)

    speaking = (config.server_header, config.proxy_headers, config.access_log)
    assert speaking == (False, False, False)
    assert config.log_config is None
    assert config.lifespan == "off"
    assert (config.timeout_keep_alive, config.timeout_graceful_shutdown) == (2, 3)
    assert (config.limits, len(config.read_buffer)) == (limits, 1024 * 1024)
