/**
 * The model host: the model's graphs, the conversations they hold, and the prompts computed for them. It does what it
 * is asked, in order; long work gives way to steps. It knows numbers only: who speaks and what it means is the sidecar's.
 */
import path from 'node:path';
import { FRAME_SAMPLES } from '../../audio/frame';
import { NpcVoiceError } from '../../errors';
import {
  consumeAll,
  Generator,
  promptColumns,
  SeatState,
  type Primed,
  type PromptColumns,
  type Sampling,
  type SpeechTokens,
} from '../generator';
import { storagePlan } from '../graphs';
import type { MimiConfig } from '../graphs/types';
import { LanguageModel, MimiDecoder, MimiEncoder, openMimi } from '../runtime';
import { openModel, type InstalledModel } from '../store';
import { measureSteps } from './measure';
import type {
  Answer,
  Ask,
  HostCall,
  HostPrompt,
  LoadedModel,
  LoadModel,
  Reprime,
  RestoreSeat,
  SeatTaken,
  SteppedSeats,
  StepSeats,
  TakeSeat,
} from './messages';
import { MOVED, MOVED_INTS } from './messages';
import { Move } from './move';
import { PrimedPrompts, type PrimedLease } from './primed-prompts';
import { HostSeat } from './seat';
import { speechTokens } from './speech-tokens';
import { Pace, Turns } from './turns';
import { Voices } from './voices';

/** A refresh begins so many columns before the window ends: ten seconds, or an eighth of a small window. */
const REFRESH_MARGIN = 125;
/** What a moved conversation keeps of itself: a minute, or half of what a small window has room for. */
const KEPT_COLUMNS = 750;

type Session = Awaited<ReturnType<typeof openMimi>>['encoder'];

export class ModelHost {
  readonly #turns = new Turns();
  readonly #pace: Pace;
  readonly #model: LanguageModel;
  readonly #generator: Generator;
  readonly #mimi: MimiConfig;
  readonly #codec: { encoder: Session; decoder: Session };
  readonly #primed: PrimedPrompts;
  readonly #voices: Voices;
  readonly #realtime: boolean;
  readonly #seats = new Map<number, HostSeat>();
  #refreshed = 0;
  /** A refresh that failed; the next step tells of it. */
  #trouble: unknown = null;

  private constructor(
    readonly installed: InstalledModel,
    options: LoadModel,
    model: LanguageModel,
    codec: { encoder: Session; decoder: Session },
    tokens: SpeechTokens,
  ) {
    const { lm, mimi, tier, provider } = installed.manifest;
    this.#model = model;
    this.#codec = codec;
    this.#mimi = mimi;
    this.#realtime = options.realtime;
    this.#pace = new Pace(options.realtime);
    this.#generator = new Generator(model, { seats: 1, tokens });
    const halves = provider === 'webgpu' && storagePlan(tier, provider).activations === 'f16';
    this.#primed = new PrimedPrompts(options.primedBytes, lm.layers * 2 * lm.dim * (halves ? 2 : 4));
    this.#voices = new Voices(this.#turns, () => this.#newEncoder());
  }

  /** @throws NpcVoiceError `model_unavailable` or `model_invalid` */
  static async load(options: LoadModel): Promise<{ host: ModelHost; loaded: LoadedModel }> {
    const installed = openModel(path.basename(options.folder), path.dirname(options.folder));
    const { manifest, graphs, tokenizer } = installed;
    if (options.ep !== 'auto' && options.ep !== manifest.provider)
      throw new NpcVoiceError(
        'model_unavailable',
        `The model ${manifest.id} was imported for ${manifest.provider}, not for ${options.ep}.`,
        { hint: `Import it again with --provider ${options.ep}.` },
      );
    if (tokenizer === null)
      throw new NpcVoiceError(
        'model_invalid',
        `The model ${manifest.id} has no tokenizer, so it cannot be talked to.`,
        {
          hint: 'Import it again from a folder with its tokenizer_spm_32k_3.model.',
        },
      );
    const { provider } = manifest;
    const files = { config: manifest.lm, temporal: graphs.temporal, depth: graphs.depth };
    const model = await LanguageModel.open(files, { provider });
    // The codec keeps its state on the host, so the CPU is its place whatever the language model runs on.
    const codec = await openMimi(
      { encoder: graphs.mimiEncoder, decoder: graphs.mimiDecoder },
      { provider: 'cpu' },
    );
    const tokens = await speechTokens(
      manifest.lm.card,
      () => new MimiEncoder(codec.encoder, manifest.mimi, 1),
    );
    const host = new ModelHost(installed, options, model, codec, tokens);
    const { stepMs, addedMs } = await measureSteps(host.#generator, host.#newEncoder(), host.#newDecoder());
    return {
      host,
      loaded: {
        name: manifest.name,
        provider,
        takesPrompt: manifest.form === 'personaplex',
        tokenizer,
        voices: installed.voices,
        window: host.#generator.window,
        textPad: tokens.textPad,
        stepMs,
        addedMs,
      },
    };
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
      figures: () => Promise.resolve(this.#primed.figures()),
    };
    return (calls[call] as (ask: Ask<K>) => Promise<Answer<K>>)(ask);
  }

  // ------------------------------------------------------------------------------------------ seats

  async #seat({ seat: id, prompt, sampling, seed }: TakeSeat): Promise<SeatTaken> {
    const columns = await this.#columnsOf(prompt);
    const lease = await this.#prime(columns);
    try {
      await this.#turns.ask(async () => {
        const seat = await this.#newSeat(id, columns);
        await this.#generator.attach(seat.row, lease.primed, { seed, sampling });
      });
      return { columns, wasPrimed: lease.wasPrimed };
    } finally {
      lease.release();
    }
  }

  async #restore({ seat: id, columns, sampling, seed, count, last, next }: RestoreSeat): Promise<null> {
    const lease = await this.#prime(columns);
    const move = await this.#turns.ask(async () => {
      const seat = await this.#newSeat(id, columns);
      if (!next) {
        await this.#generator.attach(seat.row, lease.primed, { seed, sampling });
        lease.release();
        return null;
      }
      const state = new SeatState(this.#model.config, { seed, sampling });
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
    });
    await move?.catchUp();
    if (move) await this.#turns.ask(() => this.#finish(this.#need(id)));
    return null;
  }

  async #newSeat(id: number, columns: PromptColumns): Promise<HostSeat> {
    if (this.#seats.has(id)) throw new NpcVoiceError('internal', `Seat ${id} is taken.`);
    const rows = new Set([...this.#seats.values()].map((seat) => seat.row));
    let row = 0;
    while (rows.has(row)) row++;
    if (row === this.#generator.seats)
      await this.#generator.rearrange(Array.from({ length: row + 1 }, (_, i) => (i < row ? i : -1)));
    const seat = new HostSeat(row, columns, this.#newEncoder(), this.#newDecoder(), this.#model.config.card);
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

  #newEncoder(): MimiEncoder {
    return new MimiEncoder(this.#codec.encoder, this.#mimi, 1);
  }
  #newDecoder(): MimiDecoder {
    return new MimiDecoder(this.#codec.decoder, this.#mimi, 1);
  }

  // ------------------------------------------------------------------------------------------ prompts

  async #columnsOf({ voice, text }: HostPrompt): Promise<PromptColumns> {
    const { config } = this.#model;
    const { tokens } = this.#generator;
    const prompt = voice === null ? null : { voice: await this.#voices.read(voice), text };
    const columns = promptColumns(config, tokens, prompt);
    if (columns.count > this.#generator.window / 2)
      throw new NpcVoiceError(
        'persona_invalid',
        `Role, facts and voice take ${columns.count} frames; the model remembers ${this.#generator.window} in all.`,
        { hint: 'Shorten the role or the voice prompt to less than half of that.' },
      );
    return columns;
  }

  /** The computed prompt; slices of it are computed between steps. */
  #prime(columns: PromptColumns): Promise<PrimedLease> {
    return this.#primed.acquire(columns, async (): Promise<Primed> => {
      const { dim } = this.#model.config;
      const width = columns.tokens.length / columns.count;
      const cache = this.#model.newCache(1);
      let outlook: Primed['outlook'] | undefined;
      for (let from = 0; from < columns.count;) {
        await this.#turns.slice(async () => {
          const began = performance.now();
          const to = Math.min(columns.count, from + Math.min(this.#pace.columns(began), cache.longestRun));
          outlook = await consumeAll(
            this.#model,
            cache,
            columns.tokens.subarray(from * width, to * width),
            columns.embeddings?.subarray(from * dim, to * dim) ?? null,
          );
          this.#pace.sliced(to - from, performance.now() - began);
          from = to;
        });
      }
      const snapshot = await cache.snapshot(0);
      cache.dispose();
      return { columns, cache: snapshot, outlook: outlook! };
    });
  }

  async #reprime({ seat: id, prompt }: Reprime): Promise<null> {
    const columns = await this.#columnsOf(prompt);
    const lease = await this.#prime(columns);
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
      const sound = await seat.speak(frames[seat.row]!.codes);
      if (sound) samples.set(sound, i * FRAME_SAMPLES);
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
    if (seat.refreshing || left > this.#margin) return;
    seat.refreshing = true;
    try {
      await this.#refresh(seat);
    } finally {
      seat.refreshing = false;
    }
  }

  async #refresh(seat: HostSeat): Promise<void> {
    const lease = await this.#prime(seat.columns);
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
