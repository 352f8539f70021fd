/**
 * When the scene moves. Ticks live on a grid of slots one frame apart. A frame of the primary microphone is on
 * time within half a frame either side of its slot and fires the tick at once; where none has come by then, the
 * timer fires, so the clock never stops. Every tick takes exactly one slot, so there are never more ticks than
 * time has frames, whoever drives them, and never two within half a frame; and the grid leans towards the microphone's arrivals, so that it follows
 * that clock where there is one and never drifts where there is none.
 */
import { FRAME_MS } from '../audio/frame';
import type { Clock } from './clock';

/** How early a frame may fire its tick, and how soon after another a tick may come. */
export const LEAD_MS = FRAME_MS / 2;
/** How long past its slot a frame is waited for, while a microphone is sending. */
export const GRACE_MS = FRAME_MS / 2;
/** A microphone counts as sending this long after its last packet: the longest packet, and some. */
export const SENDING_MS = 200;
/**
 * The grid's lean towards an arrival, late ones stronger: it settles near the late edge of a microphone that comes
 * in lumps (100 ms reads are common), where the timer does not race it.
 */
const LEAN_LATE = 1 / 4;
const LEAN_EARLY = 1 / 32;
/** Frames in a row that came a frame too early: they wait each time, so one is dropped and the wait is gone. */
export const STANDING_FRAMES = 6;

/** The primary microphone, as the ticker sees it. */
export interface TickSource {
  /** Whole frames waiting. */
  frames(): number;
  /** Drops the oldest. */
  drop(): void;
}

export interface TickerCounts {
  ticks: number;
  timerTicks: number;
  skipped: number;
}

export class Ticker {
  readonly counts: TickerCounts = { ticks: 0, timerTicks: 0, skipped: 0 };
  readonly #clock: Clock;
  readonly #beat: (due: number, micDriven: boolean) => Promise<void>;
  #source: TickSource | null = null;
  /** When each waiting frame became whole, oldest first. */
  readonly #arrivals: number[] = [];
  #running = false;
  #busy: Promise<void> | null = null;
  #slot = 0;
  #lastBeat = -Infinity;
  #lastPacket = -Infinity;
  #standing = 0;
  #disarm: (() => void) | null = null;

  /** `beat` is one tick; it is never called before the last has settled, and must not reject. */
  constructor(clock: Clock, beat: (due: number, micDriven: boolean) => Promise<void>) {
    this.#clock = clock;
    this.#beat = beat;
  }

  /** The first slot is one frame from now. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#slot = this.#clock.now() + FRAME_MS;
    this.#consider();
  }

  stop(): void {
    this.#running = false;
    this.#disarm?.();
    this.#disarm = null;
  }

  /** Names the microphone that drives the tick, or none. */
  follow(source: TickSource | null): void {
    if (source === this.#source) return;
    this.#source = source;
    this.#arrivals.length = 0;
    // One that has just been opened is about to send.
    this.#lastPacket = this.#clock.now();
    this.#standing = 0;
    this.#consider();
  }

  /** A packet of the primary microphone has been taken in. */
  packet(): void {
    const now = this.#clock.now();
    this.#lastPacket = now;
    const waiting = this.#source?.frames() ?? 0;
    while (this.#arrivals.length < waiting) this.#arrivals.push(now);
    this.#forgetDropped(waiting);
    if (waiting > 0) this.#consider();
  }

  /** Resolves when no tick is under way. */
  async settled(): Promise<void> {
    while (this.#busy) await this.#busy;
  }

  /** Frames the buffer dropped of itself were its oldest. */
  #forgetDropped(waiting: number): void {
    if (this.#arrivals.length > waiting) this.#arrivals.splice(0, this.#arrivals.length - waiting);
  }

  #consider(): void {
    if (!this.#running || this.#busy) return;
    const now = this.#clock.now();
    const behind = Math.floor((now - this.#slot) / FRAME_MS);
    if (behind > 0) {
      this.counts.skipped += behind;
      this.#slot += behind * FRAME_MS;
    }
    const waiting = this.#source?.frames() ?? 0;
    this.#forgetDropped(waiting);
    if (waiting > 0) {
      const from = Math.max(this.#slot, this.#lastBeat + FRAME_MS) - LEAD_MS;
      if (now < from) return this.#arm(from);
      const arrival = this.#arrivals.shift() ?? now;
      if (this.#dropsStanding(arrival)) return this.#consider();
      return this.#fire(Math.max(arrival, from), true);
    }
    const sending = this.#source !== null && now - this.#lastPacket < SENDING_MS;
    const due = sending ? this.#slot + GRACE_MS : this.#slot;
    if (now < due) return this.#arm(due);
    this.#fire(due, false);
  }

  /** Leans the grid towards a frame that is on time; drops one that only a standing backlog explains. */
  #dropsStanding(arrival: number): boolean {
    const error = arrival - this.#slot;
    if (error >= -LEAD_MS) {
      this.#standing = 0;
      this.#slot += error > 0 ? Math.min(error, GRACE_MS) * LEAN_LATE : error * LEAN_EARLY;
      return false;
    }
    this.#standing++;
    if (this.#standing < STANDING_FRAMES) return false;
    this.#standing = 0;
    this.#source?.drop();
    return true;
  }

  #fire(due: number, micDriven: boolean): void {
    this.#disarm?.();
    this.#disarm = null;
    this.#slot += FRAME_MS;
    this.#lastBeat = this.#clock.now();
    this.counts.ticks++;
    if (!micDriven) this.counts.timerTicks++;
    this.#busy = this.#beat(due, micDriven).finally(() => {
      this.#busy = null;
      this.#consider();
    });
  }

  #arm(at: number): void {
    this.#disarm?.();
    this.#disarm = this.#clock.after(at - this.#clock.now(), () => {
      this.#disarm = null;
      this.#consider();
    });
  }
}
