/**
 * One duplex model for several scenes. The model's steps must not overlap, and one step of many seats costs little
 * more than one of few: requests that come while a step is under way wait, and go together as the next.
 */
import { NpcVoiceError } from '../errors';
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

interface Waiting {
  inputs: readonly SeatInput[];
  resolve: (outputs: readonly SeatOutput[]) => void;
  reject: (error: unknown) => void;
}

export class SharedModel implements DuplexModel {
  readonly #model: DuplexModel;
  #waiting: Waiting[] = [];
  #stepping = false;
  readonly #seats = new Set<SeatId>();
  #priming = 0;

  constructor(model: DuplexModel) {
    this.#model = model;
  }

  get info(): DuplexModelInfo {
    return this.#model.info;
  }
  /** Seats taken, those being primed included. */
  get seats(): number {
    return this.#seats.size + this.#priming;
  }

  start(): Promise<void> {
    return this.#model.start();
  }

  /** Rejects with NpcVoiceError `capacity` when this machine sustains no more. */
  async seat(brief: CharacterBrief, options: SeatOptions): Promise<SeatId> {
    const { npcs, why } = this.info.capacity;
    if (this.seats >= npcs)
      throw new NpcVoiceError('capacity', `This machine sustains ${npcs} NPCs at once, and all are in use.`, {
        hint: why,
      });
    this.#priming++;
    try {
      const seat = await this.#model.seat(brief, options);
      this.#seats.add(seat);
      return seat;
    } finally {
      this.#priming--;
    }
  }

  unseat(seat: SeatId): void {
    this.#seats.delete(seat);
    this.#model.unseat(seat);
  }

  /** May be called while another caller's step is under way. The outputs' buffers are valid until the next macrotask. */
  step(inputs: readonly SeatInput[]): Promise<readonly SeatOutput[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, resolve, reject });
      if (!this.#stepping) void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    this.#stepping = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#stepTogether(batch);
      // The callers read their outputs before the next step overwrites them.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#stepping = false;
  }

  async #stepTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      const inputs = batch.length === 1 ? batch[0]!.inputs : batch.flatMap((caller) => caller.inputs);
      const outputs = await this.#model.step(inputs);
      let from = 0;
      for (const caller of batch) {
        const to = from + caller.inputs.length;
        caller.resolve(batch.length === 1 ? outputs : outputs.slice(from, to));
        from = to;
      }
    } catch (error) {
      for (const caller of batch) caller.reject(error);
    }
  }

  update(seat: SeatId, brief: CharacterBrief): Promise<UpdateReceipt> {
    return this.#model.update(seat, brief);
  }
  say(seat: SeatId, text: string, when: 'queue' | 'now'): void {
    this.#model.say(seat, text, when);
  }
  linesWaiting(seat: SeatId): number {
    return this.#model.linesWaiting(seat);
  }
  farewell(seat: SeatId): boolean {
    return this.#model.farewell(seat);
  }
  hold(seat: SeatId, on: boolean, manner: 'finish_word' | 'cut'): void {
    this.#model.hold(seat, on, manner);
  }
  interrupt(seat: SeatId): void {
    this.#model.interrupt(seat);
  }
  stop(): Promise<void> {
    return this.#model.stop();
  }
}
