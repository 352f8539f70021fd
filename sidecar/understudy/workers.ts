/**
 * A worker thread that may die: it is started again, at once the first time and then ever later, and what it was
 * asked meanwhile is the owner's to ask again.
 */
import { Worker } from 'node:worker_threads';
import { NpcVoiceError } from '../errors';

const LONGEST_WAIT_MS = 8000;

export interface WorkerOwner<Answer> {
  /** A fresh worker is running; every earlier question is lost. */
  onStart(worker: Worker): void;
  onAnswer(answer: Answer): void;
  /** It died. A new one will start. */
  onCrash(error: NpcVoiceError): void;
}

export class SurvivingWorker<Answer> {
  readonly #file: string;
  readonly #what: string;
  readonly #owner: WorkerOwner<Answer>;
  readonly #data: unknown;
  #worker: Worker | undefined;
  #crashes = 0;
  #lastCrash = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param what its name in messages: "text-to-speech" */
  constructor(file: string, what: string, owner: WorkerOwner<Answer>, data?: unknown) {
    this.#file = file;
    this.#what = what;
    this.#owner = owner;
    this.#data = data;
    this.#launch();
  }

  post(message: unknown): void {
    this.#worker?.postMessage(message);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #launch(): void {
    let reason: unknown;
    const worker = new Worker(this.#file, { workerData: this.#data });
    this.#worker = worker;
    worker.on('message', (answer: Answer) => {
      if (worker === this.#worker) this.#owner.onAnswer(answer);
    });
    worker.on('error', (error) => (reason = error));
    worker.on('exit', (code) => {
      if (this.#stopped || worker !== this.#worker) return;
      this.#worker = undefined;
      this.#crashed(reason, code);
    });
    this.#owner.onStart(worker);
  }

  #crashed(reason: unknown, code: number): void {
    const now = performance.now();
    if (now - this.#lastCrash > 60_000) this.#crashes = 0;
    this.#lastCrash = now;
    const wait = this.#crashes === 0 ? 0 : Math.min(LONGEST_WAIT_MS, 250 * 2 ** this.#crashes);
    this.#crashes++;
    this.#timer = setTimeout(() => this.#launch(), wait);
    const why = reason instanceof Error ? reason.message : `exit code ${code}`;
    this.#owner.onCrash(
      new NpcVoiceError(
        'internal',
        `The understudy's ${this.#what} stopped and is being started again: ${why}.`,
        {
          cause: reason,
        },
      ),
    );
  }
}
