"""Extended attributes: which of them a layer may set, and which are overlayfs's own."""

import errno
import os
from collections.abc import Mapping
from typing import Final

_ADMITTED: Final = "user."
_CAPABILITY: Final = "security.capability"
# overlayfs's own, in either namespace, would make a layer rewrite those beneath.
_OVERLAY: Final = ("trusted.overlay.", "user.overlay.")


def admitted(xattrs: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Those a layer may bring: ``user.*``, and ``security.capability`` of its programs.

    The rest is policy of the host that made the layer (SELinux, trusted) or overlayfs's.
    """
    if not xattrs:
        return xattrs
    return {
        name: value
        for name, value in xattrs.items()
        if (name == _CAPABILITY or name.startswith(_ADMITTED)) and not name.startswith(_OVERLAY)
    }


def overlay_opaque() -> str:
    """The attribute of a directory that hides those beneath it, by who may mount."""
    return "trusted.overlay.opaque" if os.geteuid() == 0 else "user.overlay.opaque"


def is_opaque(path: str) -> bool:
    """Whether overlayfs shows nothing of the directories beneath this one."""
    try:
        return os.getxattr(path, overlay_opaque(), follow_symlinks=False) == b"y"
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise
        return False


def file_xattrs(path: str) -> Mapping[str, bytes]:
    """Those of a file that belong into a layer, by name."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return {}
    wanted = admitted(dict.fromkeys(sorted(names), b""))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in wanted}


def set_xattrs(descriptor: int, xattrs: Mapping[str, bytes]) -> None:
    """Set them on an open file; a filesystem without xattrs goes without."""
    for name, value in xattrs.items():
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP or name in _NEEDED:
                raise


_NEEDED: Final = ("trusted.overlay.opaque", "user.overlay.opaque")
