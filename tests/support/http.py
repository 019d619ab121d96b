"""HTTP requests of tests to servers on the loopback, without TLS.

httpx2 reads all certificate authorities for each client, also for the one of each single request:
26 ms of CPU, again and again while a test waits for a server.
"""

from functools import partial

import httpx2

delete = partial(httpx2.delete, verify=False)
get = partial(httpx2.get, verify=False)
head = partial(httpx2.head, verify=False)
patch = partial(httpx2.patch, verify=False)
post = partial(httpx2.post, verify=False)
put = partial(httpx2.put, verify=False)
request = partial(httpx2.request, verify=False)
