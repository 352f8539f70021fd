/**
 * The understudy: the duplex model that needs no GPU and no download. Its turn-taking is real, its voice is an
 * embedded text-to-speech, and its words are the persona's own script.
 */
import { FRAME_MS } from '../audio/frame';
import type {
  CharacterBrief,
  DuplexModel,
  DuplexModelInfo,
  SeatId,
  SeatInput,
  SeatOptions,
  SeatOutput,
  UpdateReceipt,
} from '../duplex';
import { NpcVoiceError } from '../errors';
import { Seat } from './seat';
import { splitClauses } from './text/clauses';
import { Synthesiser, URGENCY } from './tts/synthesiser';
import { Ears } from './vad/ears';

export interface UnderstudyOptions {
  /**
   * True (default): a step never waits for speech to be synthesised. False: it does, so that the same seeds and
   * input give exactly the same output.
   */
  realtime?: boolean;
}

/** As many as have been tried. */
const MOST_NPCS = 128;
const FEWEST_NPCS = 8;
const WARM_UP = 'The quick brown fox jumps over the lazy dog, and through the garden. Is that so?';
/** How much of a frame hearing may take. */
const HEARING_SHARE = 0.75;

function capacityAt(costMs: number): DuplexModelInfo['capacity'] {
  const sustained = Math.floor((HEARING_SHARE * FRAME_MS) / costMs);
  const npcs = Math.min(MOST_NPCS, Math.max(FEWEST_NPCS, sustained));
  const why = `Hearing took ${costMs.toFixed(2)} ms a frame for each NPC at the start, if each hears something different; NPCs that hear the same share it.`;
  return { npcs, why };
}

export class Understudy implements DuplexModel {
  #capacity: DuplexModelInfo['capacity'] = {
    npcs: MOST_NPCS,
    why: 'Not measured yet: the understudy has not started.',
  };
  readonly #realtime: boolean;
  readonly #seats = new Map<SeatId, Seat>();
  readonly #ears = new Ears((error) => this.#troubles.push(error));
  readonly #speech = new Synthesiser((error) => this.#troubles.push(error));
  readonly #troubles: NpcVoiceError[] = [];
  #nextSeat: SeatId = 1;

  constructor({ realtime = true }: UnderstudyOptions = {}) {
    this.#realtime = realtime;
  }

  get info(): DuplexModelInfo {
    return {
      id: 'understudy',
      name: 'Understudy',
      scripted: true,
      about:
        'Hears when you speak and takes turns as the persona says, but understands nothing: it speaks lines prepared in the persona file.',
      capacity: this.#capacity,
    };
  }

  async start(): Promise<void> {
    try {
      await Promise.all([this.#ears.start(), this.#speech.start()]);
      this.#capacity = capacityAt(await this.#ears.measureCost());
      this.#warmUp();
    } catch (cause) {
      await this.stop();
      throw new NpcVoiceError('model_unavailable', 'The understudy could not be loaded.', {
        hint: 'Run "npm ci" and "npm run build" again; the doctor command says what is missing.',
        cause,
      });
    }
  }

  async seat(brief: CharacterBrief, options: SeatOptions): Promise<SeatId> {
    const id = this.#nextSeat++;
    const seat = new Seat(id, brief, options, this.#speech);
    await seat.turns.opening?.settled();
    this.#seats.set(id, seat);
    return id;
  }

  unseat(seat: SeatId): void {
    this.#seats.get(seat)?.turns.end();
    this.#seats.delete(seat);
    this.#ears.forget(seat);
  }

  async step(inputs: readonly SeatInput[]): Promise<readonly SeatOutput[]> {
    const trouble = this.#troubles.shift();
    if (trouble) throw trouble;
    if (!this.#realtime) await this.#speech.settled();
    await this.#ears.hear(inputs);
    return inputs.map(({ seat }) => this.#move(seat));
  }

  async update(seat: SeatId, brief: CharacterBrief): Promise<UpdateReceipt> {
    const began = performance.now();
    const changed = this.#seat(seat).turns.update(brief);
    await changed?.settled();
    return { speed: changed ? 'quiet' : 'instant', costMs: performance.now() - began };
  }

  say(seat: SeatId, text: string, when: 'queue' | 'now'): void {
    this.#seat(seat).turns.say(text, when);
  }
  linesWaiting(seat: SeatId): number {
    return this.#seat(seat).turns.waiting;
  }
  farewell(seat: SeatId): boolean {
    return this.#seat(seat).turns.farewell();
  }
  hold(seat: SeatId, on: boolean, manner: 'finish_word' | 'cut'): void {
    this.#seat(seat).turns.hold(on, manner);
  }
  interrupt(seat: SeatId): void {
    this.#seat(seat).turns.interrupt();
  }

  async stop(): Promise<void> {
    this.#seats.clear();
    await Promise.all([this.#ears.stop(), this.#speech.stop()]);
  }

  /** The first clauses ever take ten times as long as later ones, while the machine learns flite's code. */
  #warmUp(): void {
    for (const base of ['slt', 'kal16'] as const) {
      for (const clause of splitClauses(WARM_UP)) this.#speech.request(clause, { base }, URGENCY.spare);
    }
  }

  /** A seat freed while the step was under way says nothing. */
  #move(id: SeatId): SeatOutput {
    const seat = this.#seats.get(id);
    if (seat) return seat.step(this.#ears.heard(id));
    this.#ears.forget(id);
    return { seat: id, pcm: null, text: '', mouth: null, turn: 'idle', heardSpeech: false, events: [] };
  }

  #seat(id: SeatId): Seat {
    const seat = this.#seats.get(id);
    if (!seat) throw new NpcVoiceError('unknown_npc', `The understudy has no seat ${id}.`);
    return seat;
  }
}
