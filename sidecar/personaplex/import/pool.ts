/** Hands jobs to worker threads, one at a time to each; or does them here, where there are none. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { NpcVoiceError, type ErrorCode } from '../../errors';
import { distFile } from '../../paths';
import { Labourer, type Job, type JobResult } from './job';

export interface Order {
  id: number;
  job: Job;
}
export type Answer =
  | { id: number; result: JobResult }
  | { id: number; error: { code: ErrorCode; message: string; hint: string | undefined } };

export interface JobRunner {
  /** Jobs it does at once. */
  readonly width: number;
  run(job: Job): Promise<JobResult>;
  close(): Promise<void>;
}

/** More threads than this wait for the disk; each takes about 100 MB. */
const MOST_THREADS = 8;
export const defaultThreads = (): number => Math.min(MOST_THREADS, availableParallelism());

/** @param threads worker threads; 0 does the jobs on this thread (small models, tests) */
export const jobRunner = (threads = defaultThreads()): JobRunner =>
  threads === 0 ? new LocalRunner() : new WorkerPool(threads);

class LocalRunner implements JobRunner {
  readonly width = 1;
  private readonly labourer = new Labourer();

  async run(job: Job): Promise<JobResult> {
    return this.labourer.perform(job);
  }
  async close(): Promise<void> {
    this.labourer.close();
  }
}

interface Waiting extends Order {
  resolve: (result: JobResult) => void;
  reject: (error: Error) => void;
}

class WorkerPool implements JobRunner {
  readonly width: number;
  private readonly idle: Worker[] = [];
  private readonly workers: Worker[] = [];
  private readonly queue: Waiting[] = [];
  private readonly underWay = new Map<Worker, Waiting>();
  private nextId = 0;
  private broken: Error | null = null;

  constructor(threads: number) {
    this.width = threads;
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(distFile('workers', 'quantise.js'));
      worker.on('message', (answer: Answer) => this.settle(worker, answer));
      worker.on('error', (error) => this.fail(error));
      worker.on('exit', (code) => this.fail(new Error(`an import worker ended with code ${code}`)));
      this.workers.push(worker);
      this.idle.push(worker);
    }
  }

  run(job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      if (this.broken) return reject(this.broken);
      this.queue.push({ id: this.nextId++, job, resolve, reject });
      this.assign();
    });
  }

  private assign(): void {
    while (this.queue.length > 0 && this.idle.length > 0) {
      const worker = this.idle.pop()!;
      const waiting = this.queue.shift()!;
      this.underWay.set(worker, waiting);
      worker.postMessage({ id: waiting.id, job: waiting.job } satisfies Order);
    }
  }

  private settle(worker: Worker, answer: Answer): void {
    const waiting = this.underWay.get(worker);
    if (waiting?.id !== answer.id) return;
    this.underWay.delete(worker);
    this.idle.push(worker);
    this.assign();
    if ('result' in answer) waiting.resolve(answer.result);
    else {
      const { code, message, hint } = answer.error;
      waiting.reject(new NpcVoiceError(code, message, hint === undefined ? {} : { hint }));
    }
  }

  private fail(cause: Error): void {
    this.broken ??= new NpcVoiceError('internal', `The import stopped: ${cause.message}.`, { cause });
    for (const waiting of [...this.underWay.values(), ...this.queue]) waiting.reject(this.broken);
    this.underWay.clear();
    this.queue.length = 0;
  }

  async close(): Promise<void> {
    this.fail(new Error('it was closed'));
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
