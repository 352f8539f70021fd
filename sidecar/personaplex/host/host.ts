/**
 * The model host: the model's graphs, the conversations they hold, and the prompts computed for them. It does what it
 * is asked, in order; long work gives way to steps. It knows numbers only: who speaks and what it means is the sidecar's.
 */
import { FRAME_SAMPLES } from '../../audio/frame';
import { NpcVoiceError } from '../../errors';
import { SeatState, type Generator, type PromptColumns, type Sampling } from '../generator';
import { Engine } from './engine';
import { measureSteps } from './measure';
import { MOVED, MOVED_INTS } from './messages';
import type {
  Answer,
  Ask,
  HostCall,
  LoadedModel,
  LoadModel,
  Reprime,
  RestoreSeat,
  SeatTaken,
  SteppedSeats,
  StepSeats,
  TakeSeat,
} from './messages';
import { Move } from './move';
import type { PrimedLease } from './primed-prompts';
import { Prompts } from './prompts';
import { HostSeat } from './seat';
import { Pace, Turns } from './turns';

/** A refresh begins so many columns before the window ends: ten seconds, or an eighth of a small window. */
const REFRESH_MARGIN = 125;
/** NPCs that came together do not refresh together: each row begins so much before the one below it. */
const REFRESH_STAGGER = 40;
/** What a moved conversation keeps of itself: a minute, or half of what a small window has room for. */
const KEPT_COLUMNS = 750;

export class ModelHost {
  readonly #turns = new Turns();
  readonly #pace: Pace;
  readonly #engine: Engine;
  readonly #generator: Generator;
  readonly #prompts: Prompts;
  readonly #realtime: boolean;
  readonly #seats = new Map<number, HostSeat>();
  #refreshed = 0;
  /** A refresh that failed; the next step tells of it. */
  #trouble: unknown = null;

  private constructor(engine: Engine, { realtime, primedBytes }: LoadModel) {
    this.#engine = engine;
    this.#generator = engine.generator;
    this.#realtime = realtime;
    this.#pace = new Pace(realtime);
    this.#prompts = new Prompts(engine, this.#turns, this.#pace, primedBytes);
  }

  /** @throws NpcVoiceError `model_unavailable` or `model_invalid` */
  static async load(options: LoadModel): Promise<{ host: ModelHost; loaded: LoadedModel }> {
    const engine = await Engine.open(options);
    const { manifest, tokenizer, voices } = engine.installed;
    if (tokenizer === null)
      throw new NpcVoiceError(
        'model_invalid',
        `The model ${manifest.id} has no tokenizer, so it cannot be talked to.`,
        { hint: 'Import it again from a folder with its tokenizer_spm_32k_3.model.' },
      );
    const { generator } = engine;
    const loaded = {
      name: manifest.name,
      provider: manifest.provider,
      takesPrompt: manifest.form === 'personaplex',
      tokenizer,
      voices,
      window: generator.window,
      textPad: generator.tokens.textPad,
      speed: options.realtime
        ? await measureSteps(generator, engine.newEncoder(), engine.newDecoder(), manifest.provider)
        : null,
    };
    return { host: new ModelHost(engine, options), loaded };
  }

  /** Does what is asked. Rejects with NpcVoiceError, or with whatever made a step impossible. */
  do<K extends Exclude<HostCall, 'load'>>(call: K, ask: Ask<K>): Promise<Answer<K>> {
    const calls: { [C in Exclude<HostCall, 'load'>]: (ask: Ask<C>) => Promise<Answer<C>> } = {
      seat: (taken) => this.#seat(taken),
      restore: (seat) => this.#restore(seat),
      unseat: ({ seat }) => this.#turns.ask(() => this.#unseat(seat)),
      step: (step) => this.#stepAndRefresh(step),
      tune: ({ seat, sampling }) => this.#turns.ask(() => this.#tune(seat, sampling)),
      reprime: (reprime) => this.#reprime(reprime),
      swap: ({ seat }) => this.#turns.ask(() => this.#swap(seat)),
      figures: () => Promise.resolve(this.#prompts.figures()),
    };
    return (calls[call] as (ask: Ask<K>) => Promise<Answer<K>>)(ask);
  }

  // ------------------------------------------------------------------------------------------ seats

  async #seat({ seat: id, prompt, sampling, seed }: TakeSeat): Promise<SeatTaken> {
    const columns = await this.#prompts.columns(prompt);
    const lease = await this.#prompts.prime(columns);
    try {
      await this.#turns.ask(async () => {
        const seat = await this.#newSeat(id, columns);
        await this.#orUnseat(id, () => this.#generator.attach(seat.row, lease.primed, { seed, sampling }));
      });
      return { columns, wasPrimed: lease.wasPrimed };
    } finally {
      lease.release();
    }
  }

  async #restore({ seat: id, columns, sampling, seed, count, last, next }: RestoreSeat): Promise<null> {
    const lease = await this.#prompts.prime(columns);
    const take = async (seat: HostSeat): Promise<Move | null> => {
      if (!next) {
        await this.#generator.attach(seat.row, lease.primed, { seed, sampling });
        lease.release();
        return null;
      }
      const state = new SeatState(this.#engine.model.config, { seed, sampling });
      state.recall(count, last);
      state.text = next.text;
      state.agent.set(next.agent);
      state.user.set(next.user);
      // One draw when it was attached, and one in each step.
      state.drawn = count + 1;
      this.#generator.occupy(seat.row, state);
      await seat.rewarm(last, next.agent.subarray(1));
      const fits = columns.count + count < this.#generator.window - this.#margin;
      return this.#begin(seat, lease, fits ? count : this.#kept(columns));
    };
    const move = await this.#turns.ask(async () => {
      const seat = await this.#newSeat(id, columns);
      return this.#orUnseat(id, () => take(seat));
    });
    await move?.catchUp();
    if (move) await this.#turns.ask(() => this.#finish(this.#need(id)));
    return null;
  }

  /** A seat that cannot be filled is left to nobody. */
  async #orUnseat<T>(id: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.#unseat(id);
      throw error;
    }
  }

  async #newSeat(id: number, columns: PromptColumns): Promise<HostSeat> {
    if (this.#seats.has(id)) throw new NpcVoiceError('internal', `Seat ${id} is taken.`);
    const rows = new Set([...this.#seats.values()].map((seat) => seat.row));
    let row = 0;
    while (rows.has(row)) row++;
    if (row === this.#generator.seats)
      await this.#generator.rearrange(Array.from({ length: row + 1 }, (_, i) => (i < row ? i : -1)));
    const engine = this.#engine;
    const seat = new HostSeat(row, columns, engine.newEncoder(), engine.newDecoder());
    this.#seats.set(id, seat);
    return seat;
  }

  async #unseat(id: number): Promise<null> {
    const seat = this.#seats.get(id);
    if (!seat) return null;
    seat.move?.abandon();
    seat.move = null;
    seat.gone = true;
    this.#seats.delete(id);
    this.#generator.detach(seat.row);
    await this.#closeRanks();
    return null;
  }

  /** One free row may wait for the next NPC; more only cost time. */
  async #closeRanks(): Promise<void> {
    const taken = [...this.#seats.values()];
    if (this.#generator.seats <= taken.length + 1) return;
    const from = taken.length > 0 ? taken.map((seat) => seat.row) : [-1];
    await this.#generator.rearrange(from);
    taken.forEach((seat, row) => (seat.row = row));
  }

  async #tune(id: number, sampling: Sampling): Promise<null> {
    this.#generator.seat(this.#need(id).row).sampling = sampling;
    return null;
  }

  #need(id: number): HostSeat {
    const seat = this.#seats.get(id);
    if (!seat) throw new NpcVoiceError('internal', `The model host has no seat ${id}.`);
    return seat;
  }

  // ------------------------------------------------------------------------------------------ moves

  async #reprime({ seat: id, prompt }: Reprime): Promise<null> {
    const columns = await this.#prompts.columns(prompt);
    const lease = await this.#prompts.prime(columns);
    const move = await this.#turns.ask(async () => {
      const seat = this.#seats.get(id);
      // It left while its prompt was being computed.
      if (!seat) return void lease.release();
      return this.#begin(seat, lease, this.#kept(columns));
    });
    await move?.catchUp();
    return null;
  }

  get #margin(): number {
    return Math.min(REFRESH_MARGIN, Math.floor(this.#generator.window / 8));
  }
  /** Columns before the window's end at which a row is refreshed; never so many that it would be at once again. */
  #refreshesAt({ row, columns }: HostSeat): number {
    const { window } = this.#generator;
    const free = window - columns.count - this.#kept(columns);
    return Math.min(
      this.#margin + row * Math.min(REFRESH_STAGGER, Math.floor(window / 64)),
      Math.floor(free / 2),
    );
  }
  #kept(columns: PromptColumns): number {
    return Math.min(KEPT_COLUMNS, Math.floor((this.#generator.window - columns.count) / 2));
  }

  async #begin(seat: HostSeat, lease: PrimedLease, keep: number): Promise<Move> {
    seat.move?.abandon();
    const refresh = await this.#generator.refresh(seat.row, lease.primed, keep);
    return (seat.move = new Move(refresh, lease, this.#turns, this.#pace));
  }

  async #swap(id: number): Promise<Answer<'swap'>> {
    const seat = this.#need(id);
    await this.#finish(seat);
    return { columns: seat.columns };
  }

  async #finish(seat: HostSeat): Promise<void> {
    const { move } = seat;
    if (!move) return;
    seat.move = null;
    seat.columns = move.lease.primed.columns;
    await move.finish();
  }

  // ------------------------------------------------------------------------------------------ frames

  async #step({ seats, hears, heard, forced, silenced }: StepSeats): Promise<SteppedSeats> {
    if (this.#trouble !== null) throw this.#trouble;
    const began = performance.now();
    const inputs: (ArrayLike<number> | null | undefined)[] = Array.from({ length: this.#generator.seats });
    const rows = Array.from(seats, (id) => this.#need(id));
    let next = 0;
    for (const [i, seat] of rows.entries()) {
      const samples = hears[i] ? heard.subarray(next * FRAME_SAMPLES, ++next * FRAME_SAMPLES) : null;
      inputs[seat.row] = await seat.hear(samples);
      const state = this.#generator.seat(seat.row);
      if (forced[i]! >= 0) state.forcedText.push(forced[i]!);
      state.silenced = silenced[i] === 1;
    }
    const frames = await this.#generator.step(inputs);
    const samples = new Float32Array(rows.length * FRAME_SAMPLES);
    const moved = new Int32Array(rows.length * MOVED_INTS);
    for (const [i, seat] of rows.entries()) {
      samples.set(await seat.decoder.decode(frames[seat.row]!.codes), i * FRAME_SAMPLES);
      this.#tell(seat, moved.subarray(i * MOVED_INTS, (i + 1) * MOVED_INTS));
    }
    this.#pace.stepped(performance.now() - began, performance.now());
    const refreshed = this.#refreshed;
    this.#refreshed = 0;
    return { samples, moved, refreshed };
  }

  #tell(seat: HostSeat, into: Int32Array): void {
    const state = this.#generator.seat(seat.row);
    state.copyColumns(state.columns - 1, state.columns, into);
    into[MOVED.text] = state.text;
    into.set(state.agent, MOVED.agent);
    into.set(state.user, MOVED.user);
  }

  async #stepAndRefresh(step: StepSeats): Promise<SteppedSeats> {
    const stepped = await this.#turns.ask(() => this.#step(step));
    for (const id of step.seats) {
      const seat = this.#seats.get(id);
      if (!seat) continue;
      const kept = this.#keepInWindow(seat);
      if (!this.#realtime) await kept;
      else kept.catch((error: unknown) => (this.#trouble = error));
    }
    return stepped;
  }

  /** Moves a conversation behind its prompt again before the model loses sight of that. */
  async #keepInWindow(seat: HostSeat): Promise<void> {
    const { window } = this.#generator;
    const left = window - this.#generator.position(seat.row);
    if (seat.move) {
      if (left > 1) return seat.move.catchUp();
      return this.#turns.ask(() => this.#finish(seat));
    }
    if (seat.refreshing || left > this.#refreshesAt(seat)) return;
    seat.refreshing = true;
    try {
      await this.#refresh(seat);
    } finally {
      seat.refreshing = false;
    }
  }

  async #refresh(seat: HostSeat): Promise<void> {
    const lease = await this.#prompts.prime(seat.columns);
    const move = await this.#turns.ask(async () => {
      // It left, or is being moved to another prompt, which will do as well.
      if (seat.gone || seat.move) return void lease.release();
      return this.#begin(seat, lease, this.#kept(seat.columns));
    });
    if (!move) return;
    await move.catchUp();
    await this.#turns.ask(async () => {
      if (seat.move === move) await this.#finish(seat);
    });
    this.#refreshed++;
  }
}
