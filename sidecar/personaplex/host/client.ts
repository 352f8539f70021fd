/**
 * The sidecar's end of the model host: starts the process, asks it, and starts it again when it dies or hangs. What was
 * being asked then is lost, and so are its conversations; the owner gives the next host what it needs to go on.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { NpcVoiceError } from '../../errors';
import { distFile } from '../../paths';
import { hostEnvironment } from './environment';
import type { Answer, Ask, HostCall, HostReply, LoadedModel, LoadModel } from './messages';

export interface HostOwner {
  /** A host has taken the place of one that died. It is asked nothing else until this resolves. */
  onReplaced(): Promise<void>;
  /** It died. Told once for each death; a new one will be started. */
  onDown(error: NpcVoiceError): void;
}

export interface HostLimits {
  /** Longest that a frame may take before the host counts as hung, ms. Default: a hundred times what it should. */
  stepMs: number;
  /** Longest that loading or any other answer may take, ms. */
  answerMs: number;
}
const LONGEST_ANSWER_MS = 600_000;
/** A driver may compile for seconds when it first sees a shape. */
const LEAST_STEP_LIMIT_MS = 8000;
const STEP_LIMIT_RATIO = 100;
const LONGEST_WAIT_MS = 8000;
/** A host that lived so long has earned a quick restart again. */
const FORGIVEN_AFTER_MS = 60_000;
const STOP_MS = 2000;
/** What is kept of what it last complained of. */
const LAST_WORDS = 2000;

interface Pending {
  resolve: (answer: unknown) => void;
  reject: (error: NpcVoiceError) => void;
  timer: NodeJS.Timeout;
}

export class HostClient {
  readonly #load: LoadModel;
  readonly #owner: HostOwner;
  readonly #limits: HostLimits;
  readonly #stepLimitGiven: boolean;
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | undefined;
  #nextId = 1;
  #state: 'new' | 'starting' | 'up' | 'down' | 'stopped' = 'new';
  #replaced = 0;
  #crashes = 0;
  #lastCrash = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastWords = '';
  /** Why it is being killed. */
  #verdict: string | undefined;

  constructor(load: LoadModel, owner: HostOwner, limits: Partial<HostLimits> = {}) {
    this.#load = load;
    this.#owner = owner;
    this.#limits = { stepMs: LEAST_STEP_LIMIT_MS, answerMs: LONGEST_ANSWER_MS, ...limits };
    this.#stepLimitGiven = limits.stepMs !== undefined;
  }

  /** It can be asked. */
  get up(): boolean {
    return this.#state === 'up';
  }
  /** Hosts that have taken the place of one that died. */
  get replaced(): number {
    return this.#replaced;
  }
  /** Its process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @throws NpcVoiceError `model_unavailable` or `model_invalid` when it cannot load */
  async start(): Promise<LoadedModel> {
    this.#state = 'starting';
    this.#launch();
    try {
      const loaded = await this.#send('load', this.#load);
      if (!this.#stepLimitGiven) this.#limits.stepMs = this.#stepLimit(loaded);
      this.#state = 'up';
      return loaded;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** @throws NpcVoiceError what the host answered, or `model_unavailable` when it is down or dies meanwhile */
  ask<K extends HostCall>(call: K, ask: Ask<K>): Promise<Answer<K>> {
    if (this.#state !== 'up') return Promise.reject(unavailable('The model host is being started again.'));
    return this.#send(call, ask);
  }

  /** As `ask`, but also of a host that is still being given its conversations. */
  askAnyway<K extends HostCall>(call: K, ask: Ask<K>): Promise<Answer<K>> {
    return this.#send(call, ask);
  }

  /** Ends it; idempotent. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    this.#failPending(unavailable('The model host has been stopped.'));
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    if (child.connected) child.disconnect();
    await ended;
    clearTimeout(impatience);
  }

  #stepLimit({ speed }: LoadedModel): number {
    return speed ? Math.max(LEAST_STEP_LIMIT_MS, STEP_LIMIT_RATIO * speed.stepMs) : this.#limits.answerMs;
  }

  #launch(): void {
    const child = fork(distFile('workers', 'host.js'), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: hostEnvironment(),
      // Flags meant for this process, a debugger's port above all, are not meant for that one.
      execArgv: [],
    });
    this.#child = child;
    this.#lastWords = '';
    this.#verdict = undefined;
    child.stderr!.setEncoding('utf8').on('data', (words: string) => {
      this.#lastWords = (this.#lastWords + words).slice(-LAST_WORDS);
    });
    child.on('message', (reply: HostReply) => {
      if (child === this.#child) this.#answered(reply);
    });
    child.on('error', (error) => this.#died(child, error.message));
    child.on('exit', (code, signal) => this.#died(child, signal ?? `exit code ${code}`));
  }

  #send<K extends HostCall>(call: K, ask: Ask<K>): Promise<Answer<K>> {
    const child = this.#child;
    if (!child) return Promise.reject(unavailable('The model host is not running.'));
    return new Promise<Answer<K>>((resolve, reject) => {
      const id = this.#nextId++;
      const limit = call === 'step' ? this.#limits.stepMs : this.#limits.answerMs;
      const timer = setTimeout(() => this.#condemn(`no answer in ${limit / 1000} s`), limit);
      this.#pending.set(id, { resolve: resolve as (answer: unknown) => void, reject, timer });
      // Whatever keeps a message from being sent ends in the child's exit, which answers everything pending.
      child.send({ id, call, ask }, () => undefined);
    });
  }

  #answered(reply: HostReply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    if ('answer' in reply) return pending.resolve(reply.answer);
    const { code, message, hint, fatal } = reply.failure;
    pending.reject(new NpcVoiceError(code, message, hint === undefined ? {} : { hint }));
    if (fatal) this.#condemn(message);
  }

  #condemn(why: string): void {
    this.#verdict ??= why;
    this.#child?.kill('SIGKILL');
  }

  #died(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    const why = this.#verdict ?? how;
    const cause = this.#lastWords === '' ? undefined : new Error(this.#lastWords);
    const starting = this.#state === 'starting';
    const error = unavailable(
      starting
        ? `The model host ended before the model was loaded: ${why}.`
        : `The model host stopped and is being started again: ${why}.`,
      cause,
    );
    this.#state = 'down';
    this.#failPending(error);
    if (starting) return;
    this.#owner.onDown(error);
    this.#timer = setTimeout(() => void this.#replace(), this.#backOff());
  }

  /** At once the first time, then ever later. */
  #backOff(): number {
    const now = performance.now();
    if (now - this.#lastCrash > FORGIVEN_AFTER_MS) this.#crashes = 0;
    this.#lastCrash = now;
    const wait = this.#crashes === 0 ? 0 : Math.min(LONGEST_WAIT_MS, 250 * 2 ** this.#crashes);
    this.#crashes++;
    return wait;
  }

  async #replace(): Promise<void> {
    this.#launch();
    try {
      await this.#send('load', this.#load);
      await this.#owner.onReplaced();
      if (!this.#child) return;
      this.#replaced++;
      this.#state = 'up';
    } catch (thrown) {
      // One that lives but cannot load is no use; its end brings the next.
      this.#condemn(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  #failPending(error: NpcVoiceError): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }
}

const unavailable = (message: string, cause?: Error): NpcVoiceError =>
  new NpcVoiceError('model_unavailable', message, {
    hint: 'The doctor command tells what the model runs on.',
    cause,
  });
