"""As much of a WebSocket client (RFC 6455) as npc-voice.v1 needs: binary messages over loopback, no compression."""

import base64
import hashlib
import os
import socket
import struct
from urllib.parse import urlparse

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Refused(Exception):
    """The upgrade was answered with another status than 101."""

    def __init__(self, status, sentence):
        super().__init__(f"{status}: {sentence}")
        self.status = status


class Closed(Exception):
    """The connection has ended, with a close code."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}".strip())
        self.code = code


class WebSocket:
    """One connection. `send` and `receive` may be used from two threads, one each."""

    def __init__(self, url, subprotocol, headers=(), timeout=10.0):
        where = urlparse(url)
        self._socket = socket.create_connection((where.hostname, where.port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {where.path or '/'} HTTP/1.1",
            f"Host: {where.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Protocol: {subprotocol}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        status, *answered = head.decode().split("\r\n")
        answered = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in answered)}
        code = int(status.split(" ")[1])
        if code != 101:
            rest = self._take(int(answered.get("content-length", "0")))
            raise Refused(code, rest.decode().strip())
        expected = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        if answered.get("sec-websocket-accept") != expected:
            raise Refused(code, "not an answer to this handshake")

    def send(self, payload):
        """Sends one binary message."""
        self._send(_BINARY, payload)

    def receive(self):
        """The next binary message; pings are answered on the way. Raises Closed, or TimeoutError."""
        message = b""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack(">H", self._take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._take(8))[0]
            payload = self._take(length)
            kind = first & 0x0F
            if kind == _PING:
                self._send(_PONG, payload)
            elif kind == _CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                self._send(_CLOSE, payload[:2])
                self._socket.close()
                raise Closed(code, payload[2:].decode())
            elif kind in (_BINARY, _CONTINUATION, _TEXT):
                message += payload
                if first & 0x80:
                    return message

    def close(self):
        """Says goodbye; does not wait for the answer."""
        try:
            self._send(_CLOSE, struct.pack(">H", 1000))
        except OSError:
            pass
        self._socket.close()

    def _send(self, kind, payload):
        length = len(payload)
        if length < 126:
            head = struct.pack(">BB", 0x80 | kind, 0x80 | length)
        elif length < 2**16:
            head = struct.pack(">BBH", 0x80 | kind, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, 0x80 | 127, length)
        mask = os.urandom(4)
        masked = _xor(payload, mask)
        self._socket.sendall(head + mask + masked)

    def _take(self, count):
        while len(self._buffer) < count:
            self._fill()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _fill(self):
        data = self._socket.recv(65536)
        if not data:
            raise Closed(1006, "the connection was cut")
        self._buffer += data


def _xor(payload, mask):
    """Masks all bytes at once, as one long number."""
    if not payload:
        return b""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")
