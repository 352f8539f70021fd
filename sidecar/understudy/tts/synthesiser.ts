/**
 * The understudy's speech, asked for by clause: the most urgent is made first, what was made is kept, and what
 * nobody wants any more is not made.
 */
import { NpcVoiceError } from '../../errors';
import { distFile } from '../../paths';
import type { Clause } from '../text/clauses';
import { SurvivingWorker } from '../workers';
import type { KeptSound } from './clause-sound';
import type { TtsAnswer, TtsRequest } from './messages';
import { voiceKey, type TtsVoice } from './voice';

/** How soon a clause is needed; lower is sooner. */
export const URGENCY = { now: 0, next: 1, line: 2, ahead: 3, spare: 4 } as const;
export type Urgency = (typeof URGENCY)[keyof typeof URGENCY];

/** A clause in a voice, made or to be made. */
export interface Utterance {
  readonly clause: Clause;
  readonly state: 'waiting' | 'ready' | 'failed';
  /** There when ready. */
  readonly sound: KeptSound | undefined;
  /** Resolves when no longer waiting. */
  settled(): Promise<void>;
  /** Whoever asked for it wants it no more. */
  drop(): void;
}

/** Where a seat gets its speech from. */
export interface SpeechSource {
  request(clause: Clause, voice: TtsVoice, urgency: Urgency): Utterance;
}

/** 24 kHz speech of 16 bits, and its mouth: 49 kB a second, so that four minutes are kept. */
const KEPT_BYTES = 12 * 2 ** 20;
const MOST_TRIES = 2;

class Order implements Utterance {
  readonly id: number;
  readonly key: string;
  readonly clause: Clause;
  readonly voice: TtsVoice;
  urgency: Urgency;
  state: 'waiting' | 'ready' | 'failed' = 'waiting';
  sound: KeptSound | undefined;
  wanted = 1;
  tries = 0;
  #waiters: (() => void)[] = [];

  constructor(id: number, key: string, clause: Clause, voice: TtsVoice, urgency: Urgency) {
    this.id = id;
    this.key = key;
    this.clause = clause;
    this.voice = voice;
    this.urgency = urgency;
  }
  settled(): Promise<void> {
    if (this.state !== 'waiting') return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
  settle(sound: KeptSound | undefined): void {
    this.state = sound ? 'ready' : 'failed';
    this.sound = sound;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
  drop(): void {
    this.wanted--;
  }
  get bytes(): number {
    return this.sound ? this.sound.pcm.byteLength + this.sound.mouth.byteLength : 0;
  }
}

export class Synthesiser implements SpeechSource {
  readonly #onTrouble: (error: NpcVoiceError) => void;
  readonly #workerFile: string;
  /** Kept in order of last use, oldest first. */
  readonly #kept = new Map<string, Order>();
  #keptBytes = 0;
  #queue: Order[] = [];
  #making: Order | undefined;
  #nextId = 1;
  #worker: SurvivingWorker<TtsAnswer> | undefined;
  #isReady = false;
  #readyWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  /** @param onTrouble is told of crashes and of clauses that cannot be spoken; neither needs anything done */
  constructor(onTrouble: (error: NpcVoiceError) => void, workerFile = distFile('workers', 'tts.js')) {
    this.#onTrouble = onTrouble;
    this.#workerFile = workerFile;
  }

  /** Resolves when flite is loaded. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let failing = true;
      this.#readyWaiters.push(() => {
        failing = false;
        resolve();
      });
      this.#worker = new SurvivingWorker<TtsAnswer>(this.#workerFile, 'text-to-speech', {
        onStart: () => (this.#isReady = false),
        onAnswer: (answer) => this.#answered(answer),
        onCrash: (error) => {
          if (failing) reject(error);
          else this.#crashed(error);
        },
      });
    });
  }

  request(clause: Clause, voice: TtsVoice, urgency: Urgency): Utterance {
    const key = `${voiceKey(voice)}|${clause.phones ? `/${clause.phones.join(' ')}/` : clause.spoken}|${clause.words.length}`;
    const known = this.#kept.get(key);
    if (known && known.state !== 'failed') {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      known.wanted++;
      known.urgency = Math.min(known.urgency, urgency) as Urgency;
      return known;
    }
    const order = new Order(this.#nextId++, key, clause, voice, urgency);
    this.#kept.set(key, order);
    this.#queue.push(order);
    this.#next();
    return order;
  }

  /** Resolves when everything asked for has been made. */
  settled(): Promise<void> {
    if (!this.#making && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  async stop(): Promise<void> {
    await this.#worker?.stop();
    for (const order of this.#queue.splice(0)) order.settle(undefined);
    this.#making?.settle(undefined);
    this.#making = undefined;
    this.#idle();
  }

  #next(): void {
    if (this.#making || !this.#isReady) return;
    let best: Order | undefined;
    this.#queue = this.#queue.filter((order) => {
      if (order.wanted > 0) return true;
      this.#kept.delete(order.key);
      order.settle(undefined);
      return false;
    });
    for (const order of this.#queue) if (!best || order.urgency < best.urgency) best = order;
    if (!best) return this.#idle();
    this.#queue.splice(this.#queue.indexOf(best), 1);
    this.#making = best;
    best.tries++;
    this.#worker!.post({ id: best.id, clause: best.clause, voice: best.voice } satisfies TtsRequest);
  }

  #answered(answer: TtsAnswer): void {
    if (answer.kind === 'ready') {
      this.#isReady = true;
      for (const resolve of this.#readyWaiters.splice(0)) resolve();
      return this.#next();
    }
    const order = this.#making;
    if (!order || order.id !== answer.id) return;
    this.#making = undefined;
    if (answer.kind === 'spoken') {
      order.settle(answer.sound);
      this.#keep(order);
    } else {
      order.settle(undefined);
      this.#kept.delete(order.key);
      this.#onTrouble(new NpcVoiceError('internal', `A clause could not be spoken: ${answer.message}`));
    }
    this.#next();
  }

  /** The clause it died on is tried once more: a second death is the clause's own doing. */
  #crashed(error: NpcVoiceError): void {
    this.#isReady = false;
    const order = this.#making;
    this.#making = undefined;
    if (order && order.tries < MOST_TRIES) this.#queue.unshift(order);
    else if (order) {
      order.settle(undefined);
      this.#kept.delete(order.key);
    }
    this.#onTrouble(error);
  }

  #keep(order: Order): void {
    this.#keptBytes += order.bytes;
    for (const [key, old] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES) break;
      if (old.state !== 'ready' || old === order) continue;
      this.#kept.delete(key);
      this.#keptBytes -= old.bytes;
    }
  }

  #idle(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}
