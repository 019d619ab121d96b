"""The child process that unpacks one layer: ``python -I -m runner.storage.layers.unpack_process``.

Reads the compressed layer from standard input, unpacks it into the working directory, and writes
its result as one JSON object to standard output.  A process and not a thread: 10,000 small system
calls, each of which reacquires the GIL, would stall the daemon's loop; and untrusted input is
parsed apart from the daemon's state.

One thread reads, inflates and hashes, which releases the GIL, while the main thread creates
files.
"""

import hashlib
import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from oci.errors import OCIError
from runner.storage.layers.unpack import Limits, Unpacked, unpack
from runner.storage.tar.decompress import (
    DECOMPRESSORS,
    START_BYTES,
    InvalidCompression,
    find_compression,
)

_READ_BYTES: Final = 1 << 20
_AHEAD: Final = 8  # chunks inflated before the files that they hold are created

_Item = bytes | BaseException | None


class Inflater(threading.Thread):
    """A thread that inflates standard input, a few chunks ahead of its reader.

    ``compression`` is the media type's; the first bytes take precedence.
    """

    def __init__(self, source: int, compression: str, algorithm: str, limits: Limits) -> None:
        super().__init__(daemon=True)
        self.diff_id = hashlib.new(algorithm)
        self.read_bytes = 0
        self.inflated_bytes = 0
        self._source = source
        self._limits = limits
        self._declared = compression
        self._chunks: queue.Queue[_Item] = queue.Queue(_AHEAD)

    def run(self) -> None:
        try:
            chunk = self._start()
            decompressor = DECOMPRESSORS[find_compression(chunk, self._declared)]()
            while chunk:
                self.read_bytes += len(chunk)
                for content in decompressor.feed(chunk):
                    self._take(content)
                chunk = os.read(self._source, _READ_BYTES)
            decompressor.finish()
            self._chunks.put(None)
        except BaseException as error:  # noqa: BLE001 — raised again by the main thread
            self._chunks.put(error)

    def chunks(self) -> Iterator[bytes]:
        while (item := self._chunks.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _start(self) -> bytes:
        """Read enough bytes to detect the compression: a single read of a pipe may return fewer."""
        start = b""
        while len(start) < START_BYTES and (chunk := os.read(self._source, _READ_BYTES)):
            start += chunk
        return start

    def _take(self, content: bytes) -> None:
        self.diff_id.update(content)
        self.inflated_bytes += len(content)
        ratio = self._limits.ratio
        if self.inflated_bytes > max(self._limits.ratio_from_bytes, self.read_bytes * ratio):
            raise InvalidCompression(
                f"layer inflates to more than {ratio} times its {self.read_bytes} bytes"
            )
        self._chunks.put(content)


def main(arguments: list[str]) -> int:
    """Unpack standard input into the working directory; returns the exit code, 1 if refused."""
    compression, algorithm, limits_text = arguments
    limits = Limits(**json.loads(limits_text))
    os.umask(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    inflater = Inflater(sys.stdin.fileno(), compression, algorithm, limits)
    inflater.start()
    root = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        unpacked = unpack(inflater.chunks(), root, limits)
    except (OCIError, InvalidCompression) as error:
        return _tell({"refused": str(error)}, 1)
    except OSError as error:
        return _tell({"failed": str(error), "errno": error.errno}, 1)
    return _tell(_result(unpacked, inflater), 0)


def _result(unpacked: Unpacked, inflater: Inflater) -> dict[str, Any]:
    result = asdict(unpacked)
    del result["skipped_devices"]
    result["diff_id"] = f"{inflater.diff_id.name}:{inflater.diff_id.hexdigest()}"
    result["implicit"] = [os.fsdecode(path) for path in unpacked.implicit]
    result["links"] = [[os.fsdecode(path) for path in link] for link in unpacked.links]
    return result


def _tell(result: dict[str, Any], code: int) -> int:
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    # Not sys.exit: the reading thread may still block on input.
    os._exit(main(sys.argv[1:]))
