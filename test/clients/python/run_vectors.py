"""Runs the golden vectors: python3 run_vectors.py test/fixtures/wire"""

import json
import math
import sys
from pathlib import Path

from codec import CodecError, decode, encode


def from_json(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return bytes.fromhex(value["$bytes"])
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return value


def run(folder):
    """The number of checks made, and what failed, one line each."""
    checks, failures = 0, []

    def check(passed, file, name, what):
        nonlocal checks
        checks += 1
        if not passed:
            failures.append(f"{file}: {name}: {what}")

    def vectors(file):
        return json.loads((folder / file).read_text("utf-8"))["vectors"]

    for file in ("client.json", "server.json"):
        for vector in vectors(file):
            message, data = from_json(vector["message"]), bytes.fromhex(vector["hex"])
            check(same(decode(data), message), file, vector["name"], "decodes to something else")
            check(encode(message) == data, file, vector["name"], "encodes to other bytes")
    for vector in vectors("variants.json"):
        decoded = decode(bytes.fromhex(vector["hex"]))
        decoded = {key: item for key, item in decoded.items() if item is not None}
        check(same(decoded, from_json(vector["message"])), "variants.json", vector["name"], "decodes to something else")
    # Bytes that are no MessagePack of ours at all must not pass for a message; the rest is the sidecar's to refuse.
    for vector in vectors("refused.json"):
        try:
            is_map = isinstance(decode(bytes.fromhex(vector["hex"])), dict)
        except (CodecError, RecursionError):
            is_map = False
        if vector["code"] != "bad_message":
            check(is_map, "refused.json", vector["name"], "does not decode")
    return checks, failures


def same(a, b):
    """Equal, and of the same kind: 1 is not true, text is not binary."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=0, abs_tol=0)
    return type(a) is type(b) and a == b


if __name__ == "__main__":
    made, failed = run(Path(sys.argv[1]))
    print("\n".join(failed) or f"{made} checks passed")
    sys.exit(1 if failed else 0)
