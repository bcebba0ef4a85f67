"""The devices that this machine can compute on, found by a child process.

Importing torch takes seconds, during which the viewer would be frozen.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final

from qtpy.QtCore import QCoreApplication, QObject, QProcess, QTimer, Signal, Slot

__all__ = ["DeviceList", "device_list", "write_report"]

logger = logging.getLogger(__name__)

LONGEST_SECONDS: Final = 120
"""Time after which the child process is killed."""

_devices: list[DeviceList] = []


def write_report() -> None:
    """Write the reason why each device is not available as JSON to the standard output.

    An empty reason stands for a device that is available. Run in the child process.
    """
    from napari_cellinr.fitting.resources.devices import available_devices, numbered_devices

    sys.stdout.write(json.dumps({**available_devices(), **dict.fromkeys(numbered_devices(), "")}))


def device_list() -> DeviceList:
    """Return the list of devices, which is the same for all docks of the application."""
    if not _devices:
        _devices.append(DeviceList())
    return _devices[0]


class DeviceList(QObject):
    """Why devices are not available, by name; whether there is a GPU, and the names of several.

    All are empty until the child process has finished.

    Signals
    -------
    updated
        Reasons and GPU are known.
    """

    updated = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self.has_gpu = False
        self.several: tuple[str, ...] = ()
        self._process: QProcess | None = None
        self._limit = QTimer(self)
        self._limit.setSingleShot(True)

    @Slot()
    def load(self) -> None:
        """Start the child process, unless it was started before."""
        if self._process is not None:
            return
        self._process = QProcess(self)
        self._limit.timeout.connect(self._process.kill)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._process.start(
            sys.executable,
            [
                "-c",
                "from napari_cellinr.ui.session.job.devices import write_report; write_report()",
            ],
        )
        self._limit.start(1000 * LONGEST_SECONDS)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._on_quit)

    @Slot()
    def _on_finished(self) -> None:
        if self._process is None:
            return
        self._limit.stop()
        text = bytes(self._process.readAllStandardOutput().data()).decode(errors="replace")
        try:
            found = {str(kind): str(reason) for kind, reason in json.loads(text).items()}
        except (ValueError, AttributeError):
            self._on_error()
            return
        self.reasons = {kind: reason for kind, reason in found.items() if reason}
        self.has_gpu = bool(found.keys() - self.reasons.keys() - {"cpu"})
        self.several = tuple(kind for kind in found if ":" in kind)
        self.updated.emit()

    @Slot()
    def _on_error(self) -> None:
        """Offer every device if the child process failed; the fit then reports what is missing."""
        logger.warning("the devices of this machine could not be determined")
        self.reasons = {}
        self.updated.emit()

    @Slot()
    def _on_quit(self) -> None:
        if self._process is not None and self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.blockSignals(True)
            self._process.kill()
            self._process.waitForFinished(1000)


def gpu_memory() -> int:
    """Return the bytes that are in use on an NVIDIA GPU; 0 where none is used.

    It does not load torch: a running fit has done so.
    """
    torch: Any = sys.modules.get("torch")
    try:
        used = torch.cuda.memory_allocated() if torch.cuda.is_initialized() else 0
    except (AttributeError, RuntimeError):
        return 0
    return int(used)
