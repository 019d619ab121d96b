"""Pinned: requests that go to addresses chosen before, and to no other.

The name stays in the URL, in Host and in the certificate; only nobody is asked for it again.
"""

import urllib.request

import httpx2

Addresses = tuple[str, ...]

# Of a server with many addresses, so many are tried; the last of them with all its patience.
MAX_ADDRESSES = 8
NEXT_ADDRESS_AFTER_SECONDS = 2.0


def pin(request: httpx2.Request, addresses: Addresses) -> None:
    """Let the request go to the first of these that accepts the connection."""
    request.extensions["addresses"] = addresses


class PinnedTransport(httpx2.AsyncHTTPTransport):
    """Connects to the addresses pinned to each request; to one without them, not at all.

    One transport serves one server: its connections are kept by address, and a certificate
    was verified for that server's name only.
    """

    _worked = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises ConnectError or ConnectTimeout when no address accepts the connection."""
        addresses: Addresses = request.extensions["addresses"]
        # The one that worked before spares every blob the wait for one that does not answer.
        chosen = sorted(addresses, key=lambda address: address != self._worked)[:MAX_ADDRESSES]
        *others, last = chosen
        for address in others:
            try:
                return await self._send(request, address, NEXT_ADDRESS_AFTER_SECONDS)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._send(request, last, None)

    async def _send(
        self, request: httpx2.Request, address: str, patience: float | None
    ) -> httpx2.Response:
        timeout = dict(request.extensions["timeout"])
        if patience is not None:
            timeout["connect"] = patience
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
    """The proxy that the environment names for HTTPS to this host."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
