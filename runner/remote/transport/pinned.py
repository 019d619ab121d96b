"""PinnedTransport: send requests only to addresses resolved before.

The name stays in the URL, the Host header and the certificate check, but is not resolved again.
"""

import urllib.request

import httpx2

Addresses = tuple[str, ...]

# The number of addresses to try; the last with the full timeout.
MAX_ADDRESSES = 8
NEXT_ADDRESS_AFTER_SECONDS = 2.0


def pin(request: httpx2.Request, addresses: Addresses) -> None:
    """Restrict the request to these addresses; the first that accepts a connection is used."""
    request.extensions["addresses"] = addresses


class PinnedTransport(httpx2.AsyncHTTPTransport):
    """Connects to the addresses pinned to each request; refuses a request without any.

    One transport serves one server: connections are pooled by address, and verified only for
    that server's name.
    """

    _worked = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises ConnectError or ConnectTimeout when no address accepts the connection."""
        addresses: Addresses = request.extensions["addresses"]
        # Try the last successful address first, to avoid waiting for a dead one each time.
        chosen = sorted(addresses, key=lambda address: address != self._worked)[:MAX_ADDRESSES]
        *others, last = chosen
        for address in others:
            try:
                return await self._send(request, address, NEXT_ADDRESS_AFTER_SECONDS)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._send(request, last, None)

    async def _send(
        self, request: httpx2.Request, address: str, connect_timeout: float | None
    ) -> httpx2.Response:
        timeout = dict(request.extensions["timeout"])
        if connect_timeout is not None:
            timeout["connect"] = connect_timeout
        name = request.url.raw_host.decode("ascii")
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "timeout": timeout, "sni_hostname": name},
        )
        response = await super().handle_async_request(pinned)
        self._worked = address
        return response


def environment_proxy(host: str) -> str | None:
    """The environment's proxy for HTTPS to this host."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
