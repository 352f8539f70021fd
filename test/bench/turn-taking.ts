/** How the understudy takes turns: how soon it falls silent, how soon it answers, and when it should have done neither. */
import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../../sidecar/audio';
import type { CharacterBrief, DuplexModel, SeatOutput } from '../../sidecar/duplex';
import { createUnderstudy } from '../../sidecar/understudy';
import { Chance } from '../../sidecar/understudy/turns/bag';
import {
  babble,
  HOW_LABELLED,
  labelSounds,
  pinkNoise,
  recordedUtterances,
  SPEECH_LEVEL,
  synthesisedUtterances,
  type Utterance,
} from './player-speech';
import { percentile, type BenchReport, type BenchRow } from './report';

const SEED = 7;
/** Each utterance falls this often, each time elsewhere in a frame. */
const TRIALS = 8;
const PATIENCES_MS = [150, 300, 600, 1000];
const NOISE_MINUTES = 4;
/** A quiet room: -66 dBFS. */
const ROOM_LEVEL = 0.0005;
const LONG_LINE = Array.from({ length: 12 }, () => 'I have been standing at this gate since before you were born').join(', '); // prettier-ignore

const brief = (patienceMs: number): CharacterBrief => ({
  persona: 'bench',
  name: 'Bench',
  language: 'en',
  prompt: '',
  facts: [],
  voice: { id: 'bench', understudy: { base: 'kal16' } },
  turnTaking: { patienceMs, overlap: 'yield', resume: false, backchannelsPerMinute: 0 },
  sampling: { textTemperature: 0, textTopK: 1, audioTemperature: 0, audioTopK: 1 },
  lines: { greeting: [], replies: ['Aye.'], interrupted: [], idle: [], idleEverySeconds: 0, farewell: [], backchannels: [] },
}); // prettier-ignore

/** One NPC and what it hears, on the stream's own time. */
class Listener {
  /** Frames so far. */
  frames = 0;
  /** How long the last step took. */
  stepMs = 0;
  #seat = 0;
  readonly #noise = pinkNoise(60 * SAMPLE_RATE, SEED);

  constructor(
    readonly model: DuplexModel,
    readonly noiseLevel: number,
  ) {}

  async sit(patienceMs: number): Promise<void> {
    this.#seat = await this.model.seat(brief(patienceMs), { seed: SEED, greet: false });
    // Long enough for the detector to know the room.
    for (let i = 0; i < 15; i++) await this.step();
  }
  leave(): void {
    this.model.unseat(this.#seat);
  }
  speak(): void {
    this.model.say(this.#seat, LONG_LINE, 'now');
  }
  /** @param sound what is heard beside the room's noise */
  async step(sound?: Float32Array): Promise<SeatOutput> {
    const pcm = new Float32Array(FRAME_SAMPLES);
    const from = (this.frames * FRAME_SAMPLES) % (this.#noise.length - FRAME_SAMPLES);
    for (let i = 0; i < FRAME_SAMPLES; i++)
      pcm[i] = this.#noise[from + i]! * this.noiseLevel + (sound?.[i] ?? 0);
    const began = performance.now();
    const [output] = await this.model.step([{ seat: this.#seat, ear: 'bench', pcm }]);
    this.stepMs = performance.now() - began;
    this.frames++;
    return output!;
  }
}

/** Frames of an utterance that begins `offset` samples into the first. */
function* framesOf({ pcm }: Utterance, offset: number, moreFrames: number): Generator<Float32Array> {
  const count = Math.ceil((offset + pcm.length) / FRAME_SAMPLES);
  const padded = new Float32Array(count * FRAME_SAMPLES);
  padded.set(pcm, offset);
  for (let i = 0; i < count; i++) yield padded.subarray(i * FRAME_SAMPLES, (i + 1) * FRAME_SAMPLES);
  for (let i = 0; i < moreFrames; i++) yield new Float32Array(FRAME_SAMPLES);
}

/** From the player's first sound to the flush, ms; Infinity where the NPC talked on. */
async function cutIns(model: DuplexModel, utterances: readonly Utterance[], noiseLevel: number) {
  const chance = new Chance(SEED);
  const latencies: number[] = [];
  const listener = new Listener(model, noiseLevel);
  await listener.sit(300);
  for (const utterance of utterances) {
    for (let trial = 0; trial < TRIALS; trial++) {
      listener.speak();
      for (let i = 0; i < 8 + Math.floor(chance.next() * 8); i++) await listener.step();
      const offset = Math.floor(chance.next() * FRAME_SAMPLES);
      const began = listener.frames * FRAME_MS + (offset * 1000) / SAMPLE_RATE + utterance.sounds[0]![0];
      let latency = Infinity;
      for (const frame of framesOf(utterance, offset, 12)) {
        const { events } = await listener.step(frame);
        if (latency === Infinity && events.some((event) => event.kind === 'npc_interrupted')) {
          latency = listener.frames * FRAME_MS + listener.stepMs - began;
        }
      }
      latencies.push(latency);
    }
  }
  listener.leave();
  return latencies;
}

/** From the end of the player's patience to the reply's first sample, ms, and how often it spoke into a pause. */
async function replies(model: DuplexModel, utterances: readonly Utterance[], patienceMs: number) {
  const chance = new Chance(SEED);
  const latencies: number[] = [];
  let tooSoon = 0;
  const listener = new Listener(model, ROOM_LEVEL);
  await listener.sit(patienceMs);
  for (const utterance of utterances) {
    for (let trial = 0; trial < TRIALS / 2; trial++) {
      const offset = Math.floor(chance.next() * FRAME_SAMPLES);
      const start = listener.frames * FRAME_MS + (offset * 1000) / SAMPLE_RATE;
      for (const frame of framesOf(utterance, offset, Math.ceil(patienceMs / FRAME_MS) + 14)) {
        const { events, pcm } = await listener.step(frame);
        if (!events.some((event) => event.kind === 'npc_started') || !pcm) continue;
        const first = (pcm.findIndex((sample) => sample !== 0) * 1000) / SAMPLE_RATE;
        const at = listener.frames * FRAME_MS + first - start;
        const before = utterance.sounds.filter(([from]) => from < at);
        const next = utterance.sounds[before.length]?.[0] ?? Infinity;
        const last = before.at(-1)![1];
        // Begun while the player was already speaking again, it is the pause before that counts.
        const pause = last > at ? before.at(-1)![0] - (before.at(-2)?.[1] ?? -Infinity) : next - last;
        if (pause < patienceMs) tooSoon++;
        else if (last <= at) latencies.push(at + listener.stepMs - last - patienceMs);
      }
      for (let i = 0; i < 4; i++) await listener.step();
    }
  }
  listener.leave();
  return { latencies, tooSoon };
}

/** Interruptions a minute that nobody made. */
async function falseBargeIns(model: DuplexModel, noise: Float32Array): Promise<number> {
  const listener = new Listener(model, ROOM_LEVEL);
  await listener.sit(300);
  let count = 0;
  let speaking = false;
  for (let from = 0; from + FRAME_SAMPLES <= noise.length; from += FRAME_SAMPLES) {
    if (!speaking) listener.speak();
    const { events, turn } = await listener.step(noise.subarray(from, from + FRAME_SAMPLES));
    speaking = turn === 'speaking';
    count += events.filter((event) => event.kind === 'npc_interrupted').length;
  }
  listener.leave();
  return count / (noise.length / SAMPLE_RATE / 60);
}

function distribution(what: string, samples: readonly number[], limit: number): BenchRow[] {
  const row = (name: string, value: number): BenchRow => ({ what: `${what}, ${name}`, value, unit: 'ms' });
  return [
    row('p50', percentile(samples, 0.5)),
    { ...row('p95', percentile(samples, 0.95)), limit },
    { ...row('max', percentile(samples, 1)), note: `${samples.length} trials` },
  ];
}

export async function benchTurnTaking(): Promise<BenchReport> {
  const recorded = recordedUtterances();
  const synthesised = synthesisedUtterances();
  const speech = recorded.length > 0 ? recorded : synthesised;
  const model = createUnderstudy({ realtime: false });
  await model.start();
  const rows: BenchRow[] = [];
  try {
    rows.push(...distribution('cut-in → silence', await cutIns(model, speech, ROOM_LEVEL), 160));
    const noisy = SPEECH_LEVEL * 10 ** (-20 / 20);
    const audible = speech.map((utterance) => ({
      ...utterance,
      sounds: labelSounds(utterance.pcm, 20 * Math.log10(noisy)),
    }));
    rows.push(...distribution('cut-in → silence, 20 dB noise', await cutIns(model, audible, noisy), 160));
    const all: number[] = [];
    let tooSoon = 0;
    for (const patienceMs of PATIENCES_MS) {
      const result = await replies(model, speech, patienceMs);
      rows.push(...distribution(`reply beyond ${patienceMs} ms of patience`, result.latencies, 120));
      all.push(...result.latencies);
      tooSoon += result.tooSoon;
    }
    rows.push({
      what: 'spoke into a shorter pause',
      value: tooSoon,
      unit: 'times',
      limit: 0,
      note: `of ${all.length} replies`,
    });
    const length = NOISE_MINUTES * 60 * SAMPLE_RATE;
    const loud = (noise: Float32Array) => noise.map((sample) => sample * SPEECH_LEVEL * 10 ** (-10 / 20));
    const pink = await falseBargeIns(model, loud(pinkNoise(length, SEED + 1)));
    rows.push({ what: 'false barge-ins, pink noise at 10 dB', value: pink, unit: 'a minute', limit: 1 });
    const voices = await falseBargeIns(model, loud(babble(length / 4, synthesised, SEED)));
    rows.push({
      what: 'false barge-ins, babble at 10 dB',
      value: voices,
      unit: 'a minute',
      note: 'for information: they are voices',
    });
  } finally {
    await model.stop();
  }
  const from =
    recorded.length > 0
      ? `recorded speech (${recorded.length} utterances)`
      : 'flite (recordings are not here)';
  return {
    title: 'Turn-taking',
    how: `${from} at -22 dBFS in a -66 dBFS room, at ${TRIALS} places in a frame each, seed ${SEED}; ${HOW_LABELLED}; a frame counts when whole, and the step's own time is added`,
    rows,
  };
}
