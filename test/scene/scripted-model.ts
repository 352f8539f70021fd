/**
 * A duplex model for tests of the scene: it says one word each WORD_FRAMES frames, each as a tone of its seat's own
 * pitch, takes anything louder than THRESHOLD for a player, and does at once what it is told. Steps are recorded.
 */
import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, rms } from '../../sidecar/audio';
import type {
  CharacterBrief,
  DuplexModel,
  SeatEvent,
  SeatId,
  SeatInput,
  SeatOptions,
  SeatOutput,
  UpdateReceipt,
} from '../../sidecar/duplex';

export const WORD_FRAMES = 3;
export const THRESHOLD = 0.02;
/** Pitch of a seat: a whole number of periods a frame, so that frames join without clicks. */
export const toneHz = (seat: SeatId): number => 200 + 12.5 * (seat % 64);

export interface ScriptedSeat {
  seat: SeatId;
  brief: CharacterBrief;
  options: SeatOptions;
  frames: number;
  held: boolean;
  queue: { text: string; farewell: boolean }[];
  line: { words: string[]; frame: number; began: number } | null;
  playerSince: number | null;
  quietFrames: number;
  replies: number;
  interrupted: boolean;
  /** Outputs to be given instead of what it would do, oldest first. */
  script: Partial<SeatOutput>[];
}

export class ScriptedModel implements DuplexModel {
  readonly info = {
    id: 'scripted-test',
    name: 'Scripted test model',
    scripted: true,
    about: 'A tone for a voice.',
    capacity: { npcs: 64, why: 'It costs nothing.' },
  };
  readonly seats = new Map<SeatId, ScriptedSeat>();
  readonly steps: { seat: SeatId; ear: string }[][] = [];
  /** The last step's inputs, copied. */
  heard = new Map<SeatId, { ear: string; pcm: Float32Array | null }>();
  readonly updates: { seat: SeatId; brief: CharacterBrief }[] = [];
  readonly calls: string[] = [];
  /** Called before each step: may wait, or throw. */
  beforeStep: (() => void | Promise<void>) | null = null;
  beforeSeat: (() => void | Promise<void>) | null = null;
  beforeUpdate: (() => void | Promise<void>) | null = null;
  receipt: UpdateReceipt = { speed: 'quiet', costMs: 1 };
  keepSteps = true;
  #next = 1;
  #stepping = false;

  async start(): Promise<void> {}

  async seat(brief: CharacterBrief, options: SeatOptions): Promise<SeatId> {
    await this.beforeSeat?.();
    const seat = this.#next++;
    const queue = options.greet ? brief.lines.greeting.map((text) => ({ text, farewell: false })) : [];
    this.seats.set(seat, {
      seat,
      brief,
      options,
      frames: 0,
      held: false,
      queue,
      line: null,
      playerSince: null,
      quietFrames: 0,
      replies: 0,
      interrupted: false,
      script: [],
    });
    return seat;
  }

  unseat(seat: SeatId): void {
    if (this.#stepping) throw new Error('unseat during a step');
    this.calls.push(`unseat ${seat}`);
    this.seats.delete(seat);
  }

  async step(inputs: readonly SeatInput[]): Promise<readonly SeatOutput[]> {
    if (this.#stepping) throw new Error('steps overlap');
    this.#stepping = true;
    try {
      if (this.keepSteps) this.steps.push(inputs.map(({ seat, ear }) => ({ seat, ear })));
      this.heard = new Map(
        inputs.map(({ seat, ear, pcm }) => [seat, { ear, pcm: pcm ? Float32Array.from(pcm) : null }]),
      );
      await this.beforeStep?.();
      return inputs.map((input) => this.#move(this.seats.get(input.seat)!, input));
    } finally {
      this.#stepping = false;
    }
  }

  #move(s: ScriptedSeat, { pcm }: SeatInput): SeatOutput {
    const events: SeatEvent[] = [];
    const out: SeatOutput = {
      seat: s.seat,
      pcm: null,
      text: '',
      mouth: null,
      turn: 'idle',
      heardSpeech: false,
      events,
    };
    const scripted = s.script.shift();
    if (scripted) {
      s.frames++;
      return { ...out, ...scripted };
    }
    out.heardSpeech = pcm !== null && rms(pcm) > THRESHOLD;
    this.#listen(s, out.heardSpeech, events);
    if (s.interrupted) {
      s.interrupted = false;
      if (s.line) events.push({ kind: 'npc_interrupted', flush: true });
      s.line = null;
    }
    if (!s.line && !s.held && s.playerSince === null && s.queue.length > 0) {
      const { text } = s.queue.shift()!;
      s.line = { words: text.split(' '), frame: 0, began: s.frames };
      events.push({ kind: 'npc_started', text });
    }
    out.turn = s.held ? 'held' : s.playerSince !== null ? 'listening' : 'idle';
    if (s.line) {
      const word = s.line.frame / WORD_FRAMES;
      if (word >= s.line.words.length) {
        events.push({ kind: 'npc_stopped', ms: (s.frames - s.line.began) * FRAME_MS });
        s.line = null;
      } else {
        out.turn = 'speaking';
        if (Number.isInteger(word)) out.text = ' ' + s.line.words[word]!;
        out.pcm = this.#tone(s);
        s.line.frame++;
      }
    }
    s.frames++;
    return out;
  }

  #listen(s: ScriptedSeat, speech: boolean, events: SeatEvent[]): void {
    if (speech) {
      s.quietFrames = 0;
      if (s.playerSince !== null) return;
      s.playerSince = s.frames;
      events.push({ kind: 'player_started' });
      if (s.line && s.brief.turnTaking.overlap === 'yield') s.interrupted = true;
      return;
    }
    if (s.playerSince === null || ++s.quietFrames * FRAME_MS < s.brief.turnTaking.patienceMs) return;
    events.push({ kind: 'player_stopped', ms: (s.frames - s.playerSince - s.quietFrames + 1) * FRAME_MS });
    s.playerSince = null;
    const { replies } = s.brief.lines;
    if (replies.length > 0) s.queue.push({ text: replies[s.replies++ % replies.length]!, farewell: false });
  }

  #tone(s: ScriptedSeat): Float32Array {
    const pcm = new Float32Array(FRAME_SAMPLES);
    const step = (2 * Math.PI * toneHz(s.seat)) / SAMPLE_RATE;
    for (let i = 0; i < FRAME_SAMPLES; i++) pcm[i] = 0.25 * Math.sin(step * i);
    return pcm;
  }

  async update(seat: SeatId, brief: CharacterBrief): Promise<UpdateReceipt> {
    await this.beforeUpdate?.();
    this.updates.push({ seat, brief });
    const s = this.seats.get(seat);
    if (s) s.brief = brief;
    return this.receipt;
  }
  say(seat: SeatId, text: string, when: 'queue' | 'now'): void {
    const s = this.seats.get(seat)!;
    if (when === 'now') {
      s.interrupted = s.line !== null;
      s.queue.length = 0;
    }
    s.queue.push({ text, farewell: false });
  }
  linesWaiting(seat: SeatId): number {
    return this.seats.get(seat)!.queue.length;
  }
  farewell(seat: SeatId): boolean {
    const s = this.seats.get(seat)!;
    const text = s.brief.lines.farewell[0];
    if (text === undefined) return false;
    s.queue.push({ text, farewell: true });
    return true;
  }
  hold(seat: SeatId, on: boolean, manner: 'finish_word' | 'cut'): void {
    this.calls.push(`hold ${seat} ${on} ${manner}`);
    const s = this.seats.get(seat)!;
    s.held = on;
    if (on && s.line) s.interrupted = true;
  }
  interrupt(seat: SeatId): void {
    this.seats.get(seat)!.interrupted = true;
  }
  async stop(): Promise<void> {}
}
