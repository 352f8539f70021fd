/** How fast a client may send. */
import { Bucket } from './rate';
import type { ServerLimits } from './limits';

export class Throttle {
  readonly #messages: Bucket;
  readonly #requests: Bucket;
  readonly #patience: Bucket;
  /** Messages refused. */
  refused = 0;

  constructor({ messagesPerSecond, requestBurst, requestsPerSecond, refusals }: ServerLimits) {
    const now = (): number => performance.now();
    this.#messages = new Bucket(messagesPerSecond, messagesPerSecond, now);
    this.#requests = new Bucket(requestBurst, requestsPerSecond, now);
    this.#patience = new Bucket(refusals, refusals / 20, now);
  }

  /** A message of any kind has come. False: it is too many. */
  admitsMessage(): boolean {
    return this.#messages.take();
  }
  /** It is a request, or something that is answered with an error. False: it is too many. */
  admitsRequest(): boolean {
    return this.#requests.take();
  }
  /** Counts a refusal. False: there have been so many that the client is not listening. */
  forgives(): boolean {
    this.refused++;
    return this.#patience.take();
  }
}
