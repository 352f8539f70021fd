/**
 * PersonaPlex and plain Moshi as a duplex model: the model itself listens, speaks and takes turns, in a host process;
 * here its tokens become words, its turns events, and a changed persona a new past.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { FRAME_SAMPLES } from '../../audio';
import type {
  CharacterBrief,
  DuplexModel,
  DuplexModelInfo,
  SeatId,
  SeatInput,
  SeatOptions,
  SeatOutput,
  UpdateReceipt,
} from '../../duplex';
import { asNpcVoiceError, NpcVoiceError } from '../../errors';
import {
  HostClient,
  MOVED_INTS,
  type HostLimits,
  type HostPrompt,
  type LoadedModel,
  type PrimedFigures,
} from '../host';
import { Tokenizer } from '../tokenizer';
import { findVoicePrompt } from '../voice';
import { aboutModel, capacityOf } from './about';
import { speedOfChange } from './change';
import { Seat } from './seat';

export interface PersonaPlexOptions {
  /** Folder of an imported model. */
  folder: string;
  /** Where it runs; `auto` (default): where it was imported for. */
  ep?: 'cpu' | 'webgpu' | 'auto';
  /** Folders of voice prompts, before those that came with the model. */
  voices?: readonly string[];
  /**
   * True (default): long work is cut into slices between frames. False: it is done at once, so that the same seeds and
   * input give exactly the same output.
   */
  realtime?: boolean;
  /** Bytes that primed prompts may take in the host; default 512 MiB. */
  primedBytes?: number;
  limits?: Partial<HostLimits>;
}

const PRIMED_BYTES = 512 * 2 ** 20;
/** A changed fact does not wait longer than this for quiet. */
const LONGEST_WAIT_MS = 10_000;

export class PersonaPlex implements DuplexModel {
  readonly #options: PersonaPlexOptions;
  readonly #realtime: boolean;
  readonly #host: HostClient;
  readonly #seats = new Map<SeatId, Seat>();
  /** Those who wait for quiet. */
  readonly #waiting = new Map<SeatId, () => void>();
  #info: DuplexModelInfo;
  #loaded: LoadedModel | undefined;
  #tokenizer: Tokenizer | undefined;
  #nextSeat: SeatId = 1;
  /** The host's failure, until it has been told; `told` until the host is back. */
  #trouble: NpcVoiceError | 'told' | null = null;
  #refreshed = 0;

  constructor(options: PersonaPlexOptions) {
    this.#options = options;
    this.#realtime = options.realtime ?? true;
    const id = path.basename(options.folder);
    this.#info = {
      id,
      name: id,
      scripted: false,
      about: 'A neural model that listens while it speaks.',
      capacity: { npcs: 1, why: 'Not measured yet.' },
    };
    const { folder, ep = 'auto', primedBytes = PRIMED_BYTES } = options;
    this.#host = new HostClient(
      { folder, ep, primedBytes, realtime: this.#realtime },
      { onReplaced: () => this.#restore(), onDown: (error) => this.#hostDown(error) },
      options.limits,
    );
  }

  get info(): DuplexModelInfo {
    return this.#info;
  }
  /** Process id of the model host, for people and tests. */
  get hostPid(): number | undefined {
    return this.#host.pid;
  }
  /** Conversations moved behind their prompt again, for they were about to lose it. */
  get refreshed(): number {
    return this.#refreshed;
  }
  primedFigures(): Promise<PrimedFigures> {
    return this.#host.ask('figures', null);
  }

  async start(): Promise<void> {
    const loaded = await this.#host.start();
    this.#loaded = loaded;
    this.#tokenizer = Tokenizer.open(loaded.tokenizer);
    this.#info = {
      ...this.#info,
      name: loaded.name,
      about: aboutModel(loaded),
      capacity: capacityOf(loaded),
    };
  }

  // ------------------------------------------------------------------------------------------ seats

  async seat(brief: CharacterBrief, options: SeatOptions): Promise<SeatId> {
    const { textPad, window } = this.#needLoaded();
    const id = this.#nextSeat++;
    const ask = { seat: id, prompt: this.#promptOf(brief), sampling: brief.sampling, seed: options.seed };
    const { columns } = await this.#host.ask('seat', ask);
    const speaks = { tokenizer: this.#tokenizer!, pad: textPad, window };
    this.#seats.set(id, new Seat(id, brief, options, columns, speaks));
    return id;
  }

  unseat(id: SeatId): void {
    if (!this.#seats.delete(id)) return;
    this.#waiting.get(id)?.();
    // A host that is down has forgotten it already.
    this.#host.askAnyway('unseat', { seat: id }).catch(() => undefined);
  }

  #promptOf({ prompt, voice, name }: CharacterBrief): HostPrompt {
    const { takesPrompt, voices } = this.#needLoaded();
    if (!takesPrompt) return { voice: null, text: [] };
    const file = voice.personaplex?.prompt;
    if (file === undefined)
      throw new NpcVoiceError(
        'voice_invalid',
        `The voice “${voice.id}” of ${name} says nothing to PersonaPlex.`,
        {
          hint: 'Give the voice file a personaplex section with a prompt: NATM1, or a WAV file beside it.',
        },
      );
    const roots = [...(this.#options.voices ?? []), voices].filter((root) => existsSync(root));
    const role = prompt.trim();
    return {
      voice: findVoicePrompt(file, roots),
      text: role === '' ? [] : this.#tokenizer!.encode(`<system> ${role} <system>`),
    };
  }

  #needLoaded(): LoadedModel {
    if (!this.#loaded)
      throw new NpcVoiceError('model_unavailable', `${this.#info.name} has not been started.`);
    return this.#loaded;
  }

  #seat(id: SeatId): Seat {
    const seat = this.#seats.get(id);
    if (!seat) throw new NpcVoiceError('unknown_npc', `${this.#info.name} has no seat ${id}.`);
    return seat;
  }

  // ------------------------------------------------------------------------------------------ frames

  async step(inputs: readonly SeatInput[]): Promise<readonly SeatOutput[]> {
    const seats = inputs.map(({ seat }) => this.#seat(seat));
    this.#tellTrouble();
    const live = this.#host.up ? inputs.filter((_, i) => seats[i]!.live) : [];
    if (live.length === 0) return inputs.map((input, i) => seats[i]!.missed(input));
    const { samples, moved, refreshed } = await this.#askForStep(live);
    this.#refreshed += refreshed;
    let row = 0;
    const outputs = inputs.map((input, i) => {
      const seat = seats[i]!;
      if (input !== live[row]) return seat.missed(input);
      const output = seat.took(
        input,
        samples.subarray(row * FRAME_SAMPLES, (row + 1) * FRAME_SAMPLES),
        moved.subarray(row * MOVED_INTS, (row + 1) * MOVED_INTS),
      );
      row++;
      return output;
    });
    for (const [id, proceed] of this.#waiting) if (this.#seats.get(id)?.quiet) proceed();
    return outputs;
  }

  async #askForStep(inputs: readonly SeatInput[]) {
    const hearing = inputs.filter(({ pcm }) => pcm !== null);
    const heard = new Float32Array(hearing.length * FRAME_SAMPLES);
    hearing.forEach(({ pcm }, i) => heard.set(pcm!, i * FRAME_SAMPLES));
    const orders = inputs.map(({ seat }) => this.#seat(seat).orders());
    try {
      return await this.#host.ask('step', {
        seats: Int32Array.from(inputs, ({ seat }) => seat),
        hears: Uint8Array.from(inputs, ({ pcm }) => Number(pcm !== null)),
        heard,
        forced: Int32Array.from(orders, ({ forced }) => forced),
        silenced: Uint8Array.from(orders, ({ silenced }) => Number(silenced)),
      });
    } catch (error) {
      this.#trouble = 'told';
      throw error;
    }
  }

  // ------------------------------------------------------------------------------------------ changes

  async update(id: SeatId, brief: CharacterBrief): Promise<UpdateReceipt> {
    const seat = this.#seat(id);
    const began = performance.now();
    const speed = this.#needLoaded().takesPrompt ? speedOfChange(seat.brief, brief) : 'instant';
    let waited = 0;
    if (speed !== 'instant') {
      const { replaced } = this.#host;
      await this.#host.ask('reprime', { seat: id, prompt: this.#promptOf(brief) });
      if (speed === 'quiet') waited = await this.#untilQuiet(id);
      if (this.#seats.get(id) !== seat) throw new NpcVoiceError('unknown_npc', 'It left before it was told.');
      if (this.#host.replaced !== replaced)
        throw new NpcVoiceError('model_unavailable', 'The model host died before the change took hold.', {
          hint: 'Save the file again.',
        });
      seat.conversation.columns = (await this.#host.ask('swap', { seat: id })).columns;
    }
    await this.#host.ask('tune', { seat: id, sampling: brief.sampling });
    seat.brief = brief;
    return { speed, costMs: performance.now() - began - waited };
  }

  /** Waits for a frame in which neither the NPC nor the player speaks. Returns milliseconds. */
  async #untilQuiet(id: SeatId): Promise<number> {
    // Offline nobody is disturbed, and the frame it happens in must not depend on a clock.
    if (!this.#realtime || this.#seats.get(id)?.quiet) return 0;
    const began = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LONGEST_WAIT_MS);
      this.#waiting.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#waiting.delete(id);
    return performance.now() - began;
  }

  say(id: SeatId, text: string, when: 'queue' | 'now'): void {
    this.#seat(id).say(text, when);
  }
  linesWaiting(id: SeatId): number {
    return this.#seat(id).waiting;
  }
  farewell(id: SeatId): boolean {
    return this.#seat(id).farewell();
  }
  hold(id: SeatId, on: boolean, manner: 'finish_word' | 'cut'): void {
    this.#seat(id).hold(on, manner);
  }
  interrupt(id: SeatId): void {
    this.#seat(id).interrupt();
  }

  async stop(): Promise<void> {
    this.#seats.clear();
    for (const proceed of this.#waiting.values()) proceed();
    await this.#host.stop();
  }

  // ------------------------------------------------------------------------------------------ a host that died

  #hostDown(error: NpcVoiceError): void {
    for (const seat of this.#seats.values()) seat.live = false;
    this.#trouble ??= error;
  }

  /** One failure is told once; until the host is back there is silence. */
  #tellTrouble(): void {
    const trouble = this.#trouble;
    if (trouble === null || trouble === 'told') return;
    this.#trouble = 'told';
    throw trouble;
  }

  async #restore(): Promise<void> {
    let failure: NpcVoiceError | null = null;
    for (const [id, seat] of this.#seats) {
      const { sampling } = seat.brief;
      const held = { seat: id, sampling, seed: seat.seed, ...seat.conversation.handover() };
      try {
        await this.#host.askAnyway('restore', held);
        seat.live = true;
        // It may have left meanwhile; then the host was told so before it had the seat.
        if (!this.#seats.has(id)) await this.#host.askAnyway('unseat', { seat: id });
      } catch (error) {
        // One that cannot be restored stays silent; the others need not.
        if (this.#host.pid === undefined) throw error;
        failure = asNpcVoiceError(error);
      }
    }
    // A death that no frame was asked for in is nobody's trouble any more.
    this.#trouble = failure;
  }
}
