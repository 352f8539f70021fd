/** A player whose speech is written down, and a voice whose sound is made of counted steps. */
import type { CharacterBrief, SeatEvent } from '../../sidecar/duplex';
import { Seat } from '../../sidecar/understudy/seat';
import type { SpeechSource, Utterance } from '../../sidecar/understudy/tts/synthesiser';
import { FULL_SCALE, MOUTH_STEP_SAMPLES } from '../../sidecar/understudy/tts/clause-sound';
import { voiceKey } from '../../sidecar/understudy/tts/voice';
import type { Heard } from '../../sidecar/understudy/turns/heard';
import { VISEMES } from '../../sidecar/wire';

/** Steps of 20 ms a word lasts: one frame and a half. */
export const WORD_STEPS = 6;

/** Makes every clause at once, or, when `late`, only by `deliver`. A sample tells its voice by its value. */
export class FakeSpeech implements SpeechSource {
  readonly asked: string[] = [];
  readonly dropped: string[] = [];
  late = false;
  #undelivered: (() => void)[] = [];
  readonly #voices: string[] = [];

  request(clause: Utterance['clause'], voice: CharacterBrief['voice']['understudy']): Utterance {
    this.asked.push(clause.text);
    const key = voiceKey(voice);
    if (!this.#voices.includes(key)) this.#voices.push(key);
    const level = 0.1 * (1 + this.#voices.indexOf(key));
    const steps = clause.words.length * WORD_STEPS;
    const starts = clause.words.map((_, i) => i * WORD_STEPS * MOUTH_STEP_SAMPLES);
    const sound = {
      pcm: new Int16Array(steps * MOUTH_STEP_SAMPLES).fill(Math.round(level * FULL_SCALE)),
      mouth: new Uint8Array(steps * VISEMES.length).fill(17),
      wordStarts: Int32Array.from(starts),
      wordEnds: Int32Array.from(starts, (start) => start + WORD_STEPS * MOUTH_STEP_SAMPLES),
    };
    const utterance = {
      clause,
      state: 'waiting' as Utterance['state'],
      sound: undefined as Utterance['sound'],
      settled: () => Promise.resolve(),
      drop: () => void this.dropped.push(clause.text),
    };
    const deliver = () => Object.assign(utterance, { state: 'ready', sound });
    if (this.late) this.#undelivered.push(deliver);
    else deliver();
    return utterance;
  }
  deliver(): void {
    for (const deliver of this.#undelivered.splice(0)) deliver();
  }
}

type BriefParts = Partial<CharacterBrief['lines']> &
  Partial<CharacterBrief['turnTaking']> & { base?: 'slt' | 'rms' | 'awb' | 'kal16' };

export function briefOf(parts: BriefParts = {}): CharacterBrief {
  const {
    base = 'slt',
    patienceMs = 400,
    overlap = 'yield',
    resume = false,
    backchannelsPerMinute = 0,
    ...lines
  } = parts;
  return {
    persona: 'test',
    name: 'Test',
    language: 'en',
    prompt: '',
    facts: [],
    voice: { id: base, understudy: { base } },
    turnTaking: { patienceMs, overlap, resume, backchannelsPerMinute },
    sampling: { textTemperature: 0, textTopK: 1, audioTemperature: 0, audioTopK: 1 },
    lines: {
      greeting: [],
      replies: [],
      interrupted: [],
      idle: [],
      idleEverySeconds: 0,
      farewell: [],
      backchannels: [],
      ...lines,
    },
  };
}

/** One frame as it went: what the NPC did, and what it told. */
export interface Played {
  /** `.` silent, `N` speaking, `b` a backchannel. */
  mark: string;
  turn: string;
  text: string;
  events: SeatEvent[];
  pcm: Float32Array | null;
}

/** A seat that is played frame by frame, from a score: `s` the player speaks, `.` it does not, `?` a doubtful sound. */
export class Stage {
  readonly speech = new FakeSpeech();
  readonly seat: Seat;
  readonly frames: Played[] = [];
  #quietMs = Infinity;
  #speechMs = 0;
  #speaking = false;

  constructor(brief: CharacterBrief, options: { seed?: number; greet?: boolean; late?: boolean } = {}) {
    this.speech.late = options.late ?? false;
    this.seat = new Seat(1, brief, { seed: options.seed ?? 1, greet: options.greet ?? false }, this.speech);
  }

  /** Plays a score, and returns its frames as marks. */
  play(score: string): string {
    const from = this.frames.length;
    for (const frame of score.replace(/\s/g, '')) this.#frame(frame);
    return this.frames.slice(from).map(({ mark }) => mark).join(''); // prettier-ignore
  }
  /** Events as `frame:kind`, with what matters of them. */
  get events(): string[] {
    return this.frames.flatMap(({ events }, frame) =>
      events.map((event) => `${frame}:${describeEvent(event)}`),
    );
  }
  /** Everything that was said, words joined. */
  get said(): string {
    return this.frames.map(({ text }) => text).join('').trim(); // prettier-ignore
  }

  #frame(frame: string): void {
    const { turn, pcm, text, events } = this.seat.step(this.#hear(frame));
    const mark = pcm === null ? '.' : turn === 'backchannel' ? 'b' : 'N';
    this.frames.push({ mark, turn, text, events: [...events], pcm: pcm && pcm.slice() });
  }

  #hear(frame: string): Heard {
    const voiced = frame === 's';
    const started = voiced && !this.#speaking;
    if (started) this.#speechMs = 0;
    this.#speaking = voiced || (this.#speaking && this.#quietMs + 80 < 240);
    if (voiced) this.#speechMs += 80 + (started ? 0 : this.#quietMs);
    this.#quietMs = voiced ? 0 : this.#quietMs + 80;
    return {
      speaking: this.#speaking,
      started,
      cutIn: voiced,
      voiced,
      unsure: frame === '?',
      quietMs: this.#quietMs,
      speechMs: this.#speechMs,
    };
  }
}

function describeEvent(event: SeatEvent): string {
  switch (event.kind) {
    case 'npc_interrupted':
      return event.flush ? 'interrupted, flush' : 'interrupted';
    case 'npc_started':
      return `started ${event.text}`;
    case 'npc_backchannelled':
      return `backchannelled ${event.text}`;
    case 'npc_stopped':
      return 'stopped';
    default:
      return event.kind;
  }
}
