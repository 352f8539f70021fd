/**
 * What goes with the sound, kept until the sound is heard: each frame's words, mouth and cues, and the turn
 * events that happened at it.
 */
import { MOUTH_STEPS, VISEMES, type NpcFrame, type TurnEvent } from '../../../../sidecar/wire';
import { FRAME, STEP } from './playout';

/** Fifteen viseme weights, 0..1, in the order of VISEMES. Valid until the next step; copy it to keep it. */
export type MouthWeights = Float32Array;

export interface TimelineListener {
  /** Frame `frame.n` begins to be heard. */
  frame(frame: NpcFrame): void;
  mouth(weights: MouthWeights): void;
  turn(event: TurnEvent): void;
}

/** Frames kept at most: 5 s, more than the jitter buffer holds. */
const KEPT = 64;

export class Timeline {
  readonly #frames = new Map<number, NpcFrame>();
  #turns: TurnEvent[] = [];
  /** The frame being heard. */
  #now = -1;
  #resting = true;
  /** The mouth as it is on the playback clock. */
  readonly mouth: MouthWeights = restingMouth();
  readonly #listener: TimelineListener;

  constructor(listener: TimelineListener) {
    this.#listener = listener;
  }

  addFrame(frame: NpcFrame): void {
    this.#frames.set(frame.n, frame);
    if (this.#frames.size > KEPT) this.#frames.delete(this.#frames.keys().next().value!);
  }

  /** Keeps `event` until its frame is heard; at once when that has been. */
  addTurn(event: TurnEvent): void {
    if (event.n <= this.#now) this.#listener.turn(event);
    else this.#turns.push(event);
  }

  /** Playback has reached sample `s` of frame `n`. */
  reach(n: number, s: number): void {
    const frame = this.#frames.get(n);
    if (s === 0 && n > this.#now) this.#begin(n, frame);
    if (s < FRAME) this.#move(frame?.mouth, s / STEP);
    else this.#frames.delete(n);
  }

  /** Nothing before frame `n` will be heard any more. */
  flush(n: number): void {
    for (const key of this.#frames.keys()) if (key < n) this.#frames.delete(key);
    this.#rest();
  }

  reset(): void {
    this.#frames.clear();
    this.#turns = [];
    this.#now = -1;
    this.#rest();
  }

  #begin(n: number, frame: NpcFrame | undefined): void {
    this.#now = n;
    for (const key of this.#frames.keys()) if (key < n) this.#frames.delete(key);
    if (this.#turns.length > 0) {
      const due = this.#turns.filter((event) => event.n <= n);
      this.#turns = this.#turns.filter((event) => event.n > n);
      for (const event of due) this.#listener.turn(event);
    }
    if (frame) this.#listener.frame(frame);
  }

  #move(weights: Uint8Array | undefined, step: number): void {
    if (!weights) return this.#rest();
    const from = Math.min(step, MOUTH_STEPS - 1) * VISEMES.length;
    for (let v = 0; v < VISEMES.length; v++) this.mouth[v] = weights[from + v]! / 255;
    this.#resting = false;
    this.#listener.mouth(this.mouth);
  }

  #rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    this.mouth.fill(0);
    this.mouth[0] = 1;
    this.#listener.mouth(this.mouth);
  }
}

function restingMouth(): MouthWeights {
  const weights = new Float32Array(VISEMES.length);
  weights[0] = 1;
  return weights;
}
