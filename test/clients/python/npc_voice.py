"""A client of NPC Voice, written from sidecar/wire/PROTOCOL.md with Python's standard library."""

import json
import os
import sys
import tempfile
from pathlib import Path

from codec import decode, encode
from websocket import WebSocket


class RequestError(Exception):
    """The sidecar refused a request."""

    def __init__(self, message):
        super().__init__(f"{message['code']}: {message['msg']}")
        self.code = message["code"]
        self.hint = message.get("hint")


def runtime_folder():
    """PROTOCOL.md, section 1."""
    env = os.environ
    if env.get("NPC_VOICE_RUNTIME_DIR"):
        return Path(env["NPC_VOICE_RUNTIME_DIR"])
    if sys.platform == "win32":
        return Path(env["LOCALAPPDATA"]) / "npc-voice"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "npc-voice"
    if env.get("XDG_RUNTIME_DIR"):
        return Path(env["XDG_RUNTIME_DIR"]) / "npc-voice"
    return Path(tempfile.gettempdir()) / f"npc-voice-{os.getuid()}"


def find_sidecar():
    """What the running sidecar says about itself."""
    return json.loads((runtime_folder() / "sidecar.json").read_text("utf-8"))


class Client:
    """One connection, hello received. Messages that are not responses go to `on_message`."""

    def __init__(self, url, token, on_message=lambda message: None):
        self.on_message = on_message
        self._socket = WebSocket(url, "npc-voice.v1", [("Authorization", f"Bearer {token}")])
        self._id = 0
        self._packets = {}
        self.hello = self.receive()

    def receive(self):
        """The next message of the sidecar."""
        return decode(self._socket.receive())

    def send(self, message):
        self._socket.send(encode(message))

    def request(self, t, **fields):
        """Sends a request and waits for its response. Raises RequestError."""
        self._id += 1
        self.send({"t": t, "id": self._id, **fields})
        while True:
            message = self.receive()
            if message.get("id") == self._id and message["t"] in ("ok", "error", "identified"):
                if message["t"] == "error":
                    raise RequestError(message)
                return message
            self.on_message(message)

    def identify(self, client, **fields):
        return self.request("identify", v=1, client=client, **fields)

    def send_audio(self, mic, pcm):
        """One packet of a microphone, in the format it was opened with."""
        n = self._packets.get(mic, 0)
        self._packets[mic] = (n + 1) % 2**32
        self.send({"t": "mic", "mic": mic, "n": n, "pcm": pcm})

    def played(self, npc, n):
        self.send({"t": "played", "npc": npc, "n": n})

    def close(self):
        self._socket.close()
