"""The MessagePack that npc-voice.v1 needs: PROTOCOL.md, "MessagePack subset". Binary is `bytes`, text is `str`."""

import struct


class CodecError(ValueError):
    """These bytes are no message."""


def encode(value):
    """A value as bytes: every number and length in its shortest form."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def decode(data):
    """The one value that `data` holds. Raises CodecError."""
    reader = _Reader(data)
    value = reader.value()
    if reader.at != len(data):
        raise CodecError(f"{len(data) - reader.at} bytes left over")
    return value


def _write(out, value):
    if value is None:
        out.append(0xC0)
    elif value is False:
        out.append(0xC2)
    elif value is True:
        out.append(0xC3)
    elif isinstance(value, int):
        _write_int(out, value)
    elif isinstance(value, float):
        # A number without a fraction is written as the integer it is, where 32 bits hold it.
        if value.is_integer() and -(2**31) <= value < 2**32:
            _write_int(out, int(value))
        else:
            out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        text = value.encode("utf-8")
        _write_length(out, len(text), (0xA0, 32), 0xD9, 0xDA, 0xDB)
        out += text
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _write_length(out, len(value), None, 0xC4, 0xC5, 0xC6)
        out += value
    elif isinstance(value, (list, tuple)):
        _write_length(out, len(value), (0x90, 16), None, 0xDC, 0xDD)
        for item in value:
            _write(out, item)
    elif isinstance(value, dict):
        _write_length(out, len(value), (0x80, 16), None, 0xDE, 0xDF)
        for key, item in value.items():
            _write(out, key)
            _write(out, item)
    else:
        raise CodecError(f"cannot send a {type(value).__name__}")


def _write_int(out, value):
    if 0 <= value < 0x80 or -32 <= value < 0:
        out.append(value & 0xFF)
    elif value >= 0:
        for code, form, limit in ((0xCC, "B", 2**8), (0xCD, "H", 2**16), (0xCE, "I", 2**32)):
            if value < limit:
                out += struct.pack(">B" + form, code, value)
                return
        out += struct.pack(">Bd", 0xCB, float(value))
    else:
        for code, form, limit in ((0xD0, "b", -(2**7)), (0xD1, "h", -(2**15)), (0xD2, "i", -(2**31))):
            if value >= limit:
                out += struct.pack(">B" + form, code, value)
                return
        out += struct.pack(">Bd", 0xCB, float(value))


def _write_length(out, length, fixed, eight, sixteen, thirty_two):
    if fixed and length < fixed[1]:
        out.append(fixed[0] | length)
    elif eight is not None and length < 2**8:
        out += struct.pack(">BB", eight, length)
    elif length < 2**16:
        out += struct.pack(">BH", sixteen, length)
    else:
        out += struct.pack(">BI", thirty_two, length)


_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_LENGTHS = {1: ">B", 2: ">H", 4: ">I"}


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise CodecError("broken off")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        token = self.take(1)[0]
        if token < 0x80:
            return token
        if token >= 0xE0:
            return token - 0x100
        if token < 0x90:
            return self.map(token & 0x0F)
        if token < 0xA0:
            return self.list(token & 0x0F)
        if token < 0xC0:
            return self.text(token & 0x1F)
        if token in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[token]
        if token in _NUMBERS:
            return self.number(_NUMBERS[token])
        if 0xC4 <= token <= 0xC6:
            return bytes(self.take(self.number(_LENGTHS[1 << (token - 0xC4)])))
        if 0xD9 <= token <= 0xDB:
            return self.text(self.number(_LENGTHS[1 << (token - 0xD9)]))
        if token in (0xDC, 0xDD):
            return self.list(self.number(_LENGTHS[2 << (token - 0xDC)]))
        if token in (0xDE, 0xDF):
            return self.map(self.number(_LENGTHS[2 << (token - 0xDE)]))
        raise CodecError(f"0x{token:02x} begins nothing that is sent")

    def text(self, length):
        return bytes(self.take(length)).decode("utf-8")

    def list(self, count):
        return [self.value() for _ in range(count)]

    def map(self, count):
        result = {}
        for _ in range(count):
            key = self.value()
            if not isinstance(key, str):
                raise CodecError("a key that is not text")
            result[key] = self.value()
        return result
