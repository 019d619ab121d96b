"""Extended attributes: those allowed in layers, and overlayfs's own."""

import errno
import os
from collections.abc import Mapping
from typing import Final

_ADMITTED: Final = "user."
_CAPABILITY: Final = "security.capability"
# overlayfs's own, in either namespace: a layer could use them to alter lower layers.
_OVERLAY: Final = ("trusted.overlay.", "user.overlay.")


def admitted(xattrs: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The xattrs allowed in a layer: ``user.*`` and ``security.capability``.

    Others are policy of the build host (SELinux, trusted) or overlayfs's.
    """
    if not xattrs:
        return xattrs
    return {
        name: value
        for name, value in xattrs.items()
        if (name == _CAPABILITY or name.startswith(_ADMITTED)) and not name.startswith(_OVERLAY)
    }


def overlay_opaque() -> str:
    """The xattr of an opaque directory, depending on the privilege to mount."""
    return "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque"


def is_opaque(path: str) -> bool:
    """Whether the directory is opaque: it hides the lower directories."""
    try:
        return os.getxattr(path, overlay_opaque(), follow_symlinks=False) == b"y"
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise
        return False


def file_xattrs(path: str) -> Mapping[str, bytes]:
    """A file's xattrs that are allowed in a layer, by name."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return {}
    wanted = admitted(dict.fromkeys(sorted(names), b""))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in wanted}


def set_xattrs(descriptor: int, xattrs: Mapping[str, bytes]) -> None:
    """Set xattrs on an open file; ignored on a filesystem without xattrs."""
    for name, value in xattrs.items():
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP or name in _NEEDED:
                raise


_NEEDED: Final = ("trusted.overlay.opaque", "user.overlay.opaque")
