"""
Talks to an NPC: streams a WAV as the microphone, plays what comes back into another, prints what happened as JSON.

    python3 converse.py player.wav npc.wav --npc aldric [--speed 4]

The sidecar is found by its runtime file. After the speech comes silence, until the NPC has answered or time is up.
"""

import argparse
import json
import threading
import time
import wave

from npc_voice import Client, find_sidecar

PACKET_MS = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("player", help="16-bit mono WAV, 8 to 48 kHz")
    parser.add_argument("npc_wav", help="where the NPC's voice goes")
    parser.add_argument("--npc", default="aldric")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long at most, silence included")
    parser.add_argument("--speed", type=float, default=1.0, help="times real time")
    args = parser.parse_args()

    with wave.open(args.player) as wav:
        assert wav.getsampwidth() == 2 and wav.getnchannels() == 1, "16-bit mono, please"
        rate, speech = wav.getframerate(), wav.readframes(wav.getnframes())

    frames, events, errors = [], [], []
    spoken_to, answered = threading.Event(), threading.Event()

    def on_message(message):
        if message["t"] == "frame":
            frames.append(message)
            # This player has no buffer: a frame is heard when it comes.
            client.played(message["npc"], message["n"])
        elif message["t"] in ("turn", "flush", "transcript"):
            events.append(message)
            if message.get("ev") == "player_stopped":
                spoken_to.set()
            if spoken_to.is_set() and message["t"] == "transcript" and message["line"]["who"] == args.npc:
                answered.set()
        elif message["t"] == "error":
            errors.append(message)

    info = find_sidecar()
    client = Client(info["url"], info["token"], on_message)
    identified = client.identify("python/1.0 converse")
    client.request("attach", npc=args.npc, seed=1)
    client.request("open_mic", mic="player", codec="s16", rate=rate)

    packet = rate * PACKET_MS // 1000 * 2
    packets = int(args.seconds * 1000 / PACKET_MS)

    def talk():
        began = time.monotonic()
        for i in range(packets):
            if answered.is_set():
                break
            pcm = speech[i * packet : (i + 1) * packet]
            client.send_audio("player", pcm.ljust(packet, b"\0"))
            time.sleep(max(0.0, began + (i + 1) * PACKET_MS / 1000 / args.speed - time.monotonic()))

    talking = threading.Thread(target=talk)
    talking.start()
    while talking.is_alive():
        on_message(client.receive())
    talking.join()

    transcript = client.request("get_transcript", npc=args.npc)["npcs"][0]["lines"]
    stats = client.request("get_stats")
    client.request("detach", npc=args.npc)
    client.close()

    with wave.open(args.npc_wav, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(24000)
        for frame in frames:
            wav.writeframes(frame["pcm"] or bytes(3840))
    numbers = [frame["n"] for frame in frames]
    print(
        json.dumps(
            {
                "server": client.hello["server"],
                "model": identified["model"]["id"],
                "frames": len(frames),
                "gaps": sum(1 for a, b in zip(numbers, numbers[1:]) if b != a + 1),
                "spoken_frames": sum(1 for frame in frames if frame["pcm"]),
                "text": "".join(frame.get("text", "") for frame in frames).strip(),
                "events": [event.get("ev", event["t"]) for event in events],
                "transcript": [{"who": line["who"], "heard": line["heard"]} for line in transcript],
                "packets": stats["mics"][0]["packets"],
                "errors": errors,
            }
        )
    )


if __name__ == "__main__":
    main()
