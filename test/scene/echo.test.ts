import { beforeAll, describe, expect, it } from 'vitest';
import { FRAME_MS, FRAME_SAMPLES, rms } from '../../sidecar/audio';
import { Scene, SteppedClock, converse, type SceneTurn } from '../../sidecar/scene';
import { EchoGuard, SentVoices } from '../../sidecar/scene/echo';
import { createUnderstudy } from '../../sidecar/understudy';
import { MIC, MemoryCast, RecordingSink, f32, persona } from './harness';

/** Two voices that speak without a pause to mention, by the understudy. */
let npc: Float32Array;
let player: Float32Array;

beforeAll(async () => {
  const model = createUnderstudy({ realtime: false });
  await model.start();
  const text = [
    'The road to the north is closed since the snow came down and nobody has travelled it these three weeks.',
    'If you must go then take the river path and keep the old tower on your left until you smell the salt.',
    'There was a time when a dozen carts a day came over the hill with wool and iron and barrels of good beer.',
  ];
  const speak = async (line: string, seed: number) => {
    const cast = new MemoryCast(persona('voice', { lines: { greeting: [line] } }));
    const options = { persona: 'voice', seed, greet: true, player: null, seconds: 5 };
    return (await converse({ model, cast, ...options })).voice;
  };
  npc = Float32Array.from([...(await speak(text[0]!, 1)), ...(await speak(text[1]!, 2))]);
  // A different voice: the same one, a fourth higher and faster.
  const other = await speak(text[2]!, 3);
  player = Float32Array.from({ length: Math.floor(other.length / 1.33) }, (_, i) => {
    const at = i * 1.33;
    const k = Math.floor(at);
    return other[k]! * (1 - (at - k)) + (other[k + 1] ?? 0) * (at - k);
  });
  await model.stop();
}, 60_000);

/** A desk with speakers: delay, a few reflections, dull, and some noise. */
function leak(voice: Float32Array, gain: number, delayMs: number): Float32Array {
  const paths = [
    [0, 1],
    [3.1, 0.5],
    [7.7, -0.35],
    [13.2, 0.25],
    [22.4, 0.15],
  ] as const;
  const out = new Float32Array(voice.length);
  let low = 0;
  for (let i = 0; i < out.length; i++) {
    let x = 0;
    for (const [ms, g] of paths) x += g * (voice[i - Math.round((delayMs + ms) * 24)] ?? 0);
    low += 0.5 * (x - low);
    out[i] = gain * low + 0.0003 * Math.sin(i * i * 0.0137);
  }
  return out;
}

const frames = (samples: Float32Array) => Math.floor(samples.length / FRAME_SAMPLES);
const frame = (samples: Float32Array, i: number) =>
  samples.subarray(i * FRAME_SAMPLES, (i + 1) * FRAME_SAMPLES);

function guarded(
  mic: Float32Array,
  sentVoice: Float32Array | null,
): { heard: Float32Array; foundAt: number } {
  const sent = new SentVoices();
  const guard = new EchoGuard();
  const heard = new Float32Array(mic.length);
  let foundAt = -1;
  for (let i = 0; i < frames(mic); i++) {
    heard.set(guard.process(frame(mic, i), sent) ?? new Float32Array(FRAME_SAMPLES), i * FRAME_SAMPLES);
    if (guard.found && foundAt < 0) foundAt = i;
    if (sentVoice && rms(frame(sentVoice, i)) > 0) sent.add(frame(sentVoice, i));
    sent.advance();
  }
  return { heard, foundAt };
}
/** What was sent in tick t can be heard from tick t + 1 on. */
const played = (voice: Float32Array, gain: number, delayMs: number) => leak(voice, gain, delayMs + 80);
const firstSound = () => Math.floor(npc.findIndex((x) => Math.abs(x) > 0.01) / FRAME_SAMPLES);
const db = (ratio: number) => 20 * Math.log10(ratio);

describe('the echo guard', () => {
  it.each([
    [20, 0.3],
    [150, 0.3],
    [380, 0.1],
    [560, 0.05],
  ])('finds a leak %i ms late at gain %d in half a second, and turns it down', (delay, gain) => {
    const mic = played(npc, gain, delay);
    const { heard, foundAt } = guarded(mic, npc);
    expect(foundAt).toBeGreaterThan(0);
    expect((foundAt - firstSound()) * 80 - delay).toBeLessThanOrEqual(560);
    const from = (foundAt + 6) * FRAME_SAMPLES;
    expect(db(rms(heard.subarray(from)) / rms(mic.subarray(from)))).toBeLessThan(-12);
  });

  it('leaves a player alone who speaks over the leak', () => {
    const mic = played(npc, 0.2, 150);
    const at = 3 * 24_000;
    const near = new Float32Array(mic.length);
    near.set(player.subarray(0, Math.min(player.length, mic.length - at)), at);
    const both = mic.map((x, i) => x + near[i]!);
    const { heard } = guarded(both, npc);
    let spoken = 0;
    let kept = 0;
    for (let i = 0; i < frames(near); i++) {
      if (rms(frame(near, i)) < 0.03) continue;
      spoken++;
      if (rms(frame(heard, i)) > 0.7 * rms(frame(both, i))) kept++;
    }
    expect(spoken).toBeGreaterThan(20);
    expect(kept / spoken).toBeGreaterThan(0.9);
  });

  it('does nothing, to the sample, where nothing leaks', () => {
    const near = new Float32Array(npc.length);
    near.set(player.subarray(0, npc.length));
    const { heard, foundAt } = guarded(near, npc);
    expect(foundAt).toBe(-1);
    const whole = frames(near) * FRAME_SAMPLES * 4;
    expect(Buffer.compare(f32(heard).subarray(0, whole), f32(near).subarray(0, whole))).toBe(0);
  });
});

/** A scene with the real understudy that speaks without end, at a desk whose speakers leak into its microphone. */
async function atTheDesk(options: { guard: boolean; gain: number; playerAt?: number }): Promise<SceneTurn[]> {
  const model = createUnderstudy({ realtime: false });
  await model.start();
  const line =
    'There is a good deal to be said for iron, and I mean to say all of it before the sun is down tonight.';
  const smith = persona('smith', {
    hearing: { echo_guard: options.guard },
    turn_taking: { resume: true },
    lines: { greeting: [line], replies: [line] },
  });
  const clock = new SteppedClock();
  const sink = new RecordingSink();
  const scene = new Scene({ clock, model, cast: new MemoryCast(smith), sink });
  try {
    await scene.attach('smith', { seed: 1 });
    for (let i = 0; i < 8; i++) scene.say('smith', line, 'queue');
    scene.openMic('player', MIC, {});
    const voice = new Float32Array(TALK_FRAMES * FRAME_SAMPLES);
    for (let n = 0; n < TALK_FRAMES; n++) {
      const mic = leakOf(voice, n, options.gain, 180);
      if (options.playerAt !== undefined && n >= options.playerAt)
        frame(player, n - options.playerAt).forEach((x, i) => (mic[i] = mic[i]! + x));
      clock.advance(FRAME_MS);
      scene.micPacket('player', n, f32(mic));
      await scene.settled();
      const pcm = sink.frames.at(-1)!.pcm;
      if (pcm) voice.set(pcm, n * FRAME_SAMPLES);
    }
  } finally {
    await scene.close();
    await model.stop();
  }
  return sink.turns;
}
const TALK_FRAMES = 150;

/** Frame `n` of the microphone: what has been sent before it, late and dull. */
function leakOf(voice: Float32Array, n: number, gain: number, delayMs: number): Float32Array {
  const from = Math.max(0, (n - 8) * FRAME_SAMPLES);
  return played(voice.slice(from, (n + 1) * FRAME_SAMPLES), gain, delayMs).slice(-FRAME_SAMPLES);
}

describe('an NPC whose voice comes back through the microphone', () => {
  const interruptions = (turns: SceneTurn[]) =>
    turns.filter((turn) => turn.ev === 'npc_interrupted').map((t) => t.n);

  it('interrupts itself over and over without the guard', async () => {
    expect(interruptions(await atTheDesk({ guard: false, gain: 0.3 })).length).toBeGreaterThan(4);
  });

  it('does so at most twice with it, until the leak is known', async () => {
    const cuts = interruptions(await atTheDesk({ guard: true, gain: 0.3 }));
    expect(cuts.length).toBeLessThanOrEqual(2);
    for (const n of cuts) expect(n).toBeLessThan(40);
  });

  it('still falls silent for a player who cuts in over the leak, as soon as without one', async () => {
    const playerAt = 105;
    const after = async (gain: number) =>
      interruptions(await atTheDesk({ guard: true, gain, playerAt })).find((n) => n >= playerAt)!;
    const clean = await after(0);
    expect(clean - playerAt).toBeLessThanOrEqual(4);
    expect((await after(0.3)) - clean).toBeLessThanOrEqual(1);
  });
});
