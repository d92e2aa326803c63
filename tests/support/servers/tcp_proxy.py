"""A proxy on loopback that passes bytes on until it is told to cut, to stall, or to refuse."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self


class TcpProxy:
    """
    Used in a ``with`` block; clients connect to ``port``.

    ``stall`` stops to pass on without closing anything, ``cut`` closes every connection, ``refuse`` closes new ones at
    once; ``after`` is how many more bytes go through before that happens.
    """

    def __init__(self, port: int) -> None:
        self._far = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self._limit: int | None = None
        self._then = ""
        self._is_refusing = self._is_over = False
        self._stalled = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._listener.close()
        self.cut()

    def after(self, count: int, then: str) -> None:
        """Do ``then`` (cut, stall, refuse) when ``count`` more bytes have gone through."""
        with self._lock:
            self._limit, self._then = self.passed + count, then

    def cut(self) -> None:
        """Close every connection; new ones are let through."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def stall(self) -> None:
        """Pass nothing on any more, and close nothing."""
        self._stalled.set()

    def refuse(self) -> None:
        """Close what there is, and whatever comes."""
        self._is_refusing = True
        self.cut()

    def recover(self) -> None:
        """Let everything through again; what was stalled is cut."""
        with self._lock:
            self._limit = None
        self._is_refusing = False
        self._stalled.clear()
        self.cut()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_refusing:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._far))
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, contextlib.suppress(OSError):
            while not self._is_over:
                ready, _, _ = select.select([near, far], [], [], 0.2)
                if self._stalled.is_set():
                    continue
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    self._count(len(data))
                    if self._stalled.is_set():
                        break
                    (far if end is near else near).sendall(data)

    def _count(self, size: int) -> None:
        with self._lock:
            self.passed += size
            is_time = self._limit is not None and self.passed > self._limit
            if is_time:
                self._limit = None
        if is_time:
            getattr(self, self._then)()
