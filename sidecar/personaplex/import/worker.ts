/** A worker thread of the importer: takes jobs, answers each with its result or what went wrong. */
import { parentPort } from 'node:worker_threads';
import { asNpcVoiceError } from '../../errors';
import { Labourer, transferable } from './job';
import type { Answer, Order } from './pool';

const port = parentPort!;
const labourer = new Labourer();
port.on('message', ({ id, job }: Order) => {
  try {
    const result = labourer.perform(job);
    port.postMessage({ id, result } satisfies Answer, transferable(result));
  } catch (thrown) {
    const { code, message, hint } = asNpcVoiceError(thrown);
    port.postMessage({ id, error: { code, message, hint } } satisfies Answer);
  }
});
