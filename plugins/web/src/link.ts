/**
 * One connection to the sidecar, kept up: identifies, numbers requests and settles each exactly once, and comes
 * back with a growing, jittered delay after it is dropped.
 */
import {
  CLOSE,
  PROTOCOL_VERSION,
  encodeMessage,
  parseServerMessage,
  subprotocols,
  type ClientRequest,
  type ClientStream,
  type Hello,
  type Identified,
  type Results,
  type ServerMessage,
} from '../../../sidecar/wire';
import { NpcVoiceError } from '../../../sidecar/errors';
import { Emitter } from './emitter';
import { VoiceError } from './errors';

export type ConnectionState =
  | { status: 'connecting'; attempt: number }
  | { status: 'open'; session: string }
  /** Dropped; tries again at `retryAt` (milliseconds of `Date.now()`). */
  | { status: 'waiting'; attempt: number; retryAt: number; why: VoiceError }
  /** Over: closed by this page, or for a reason that trying again does not mend. */
  | { status: 'closed'; why?: VoiceError };

export interface LinkOptions {
  url: string;
  token?: string;
  client: string;
  /** Milliseconds to wait for an answer; default 10 000. */
  requestTimeoutMs?: number;
  /** Milliseconds before the first retry, doubled up to 8 s; default 250. Each is shortened at random by up to half. */
  retryMs?: number;
}

interface LinkEvents {
  state: ConnectionState;
  /** A dropped connection is back: a new session, which knows nothing of the old one. */
  reopened: Identified;
  message: ServerMessage;
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
export type Request = WithoutId<ClientRequest>;
/** What a request of type `T` is answered with. */
export type Answer<T extends Request['t']> = T extends keyof Results
  ? Results[T]
  : T extends 'identify'
    ? Identified
    : object;
export type Ask = <R extends Request>(request: R) => Promise<Answer<R['t']>>;

interface Pending {
  settle(answer: object): void;
  fail(error: VoiceError): void;
  timer: ReturnType<typeof setTimeout>;
}

const RETRY_MAX_MS = 8000;
const HELLO_TIMEOUT_MS = 5000;
/** Bytes unsent beyond which microphone packets are dropped rather than queued: half a second of s16. */
const BACKLOG = 24_000;

/** Closures that trying again does not mend. */
const FATAL: ReadonlyMap<number, () => VoiceError> = new Map([
  [
    CLOSE.unauthorized,
    () =>
      new VoiceError('unauthorized', 'The sidecar does not accept this token.', {
        hint: 'Each start of the sidecar makes a new one: open the address it printed last.',
      }),
  ],
  [
    CLOSE.version,
    () =>
      new VoiceError('version', `The sidecar does not speak version ${PROTOCOL_VERSION} of the protocol.`),
  ],
]);

export class Link extends Emitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #pending = new Map<number, Pending>();
  #socket: WebSocket | undefined;
  #state: ConnectionState = { status: 'connecting', attempt: 0 };
  #requestId = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Microphone packets not sent because the socket was backed up. */
  droppedPackets = 0;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Opens the connection and identifies. Rejects when that fails; there is no retry before the first success. */
  async open(): Promise<Identified> {
    try {
      const identified = await this.#attempt(0);
      this.#enter({ status: 'open', session: identified.session });
      return identified;
    } catch (error) {
      this.#enter({ status: 'closed', why: error as VoiceError });
      throw error;
    }
  }

  /** Sends a request and waits for its one answer. */
  request<R extends Request>(request: R): Promise<Answer<R['t']>> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      const ready = this.#state.status === 'open' || request.t === 'identify';
      if (!ready || socket?.readyState !== WebSocket.OPEN) {
        reject(new VoiceError('closed', 'There is no connection to the sidecar.'));
        return;
      }
      const id = ++this.#requestId;
      const after = this.#options.requestTimeoutMs ?? 10_000;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new VoiceError('timeout', `The sidecar did not answer ${request.t} within ${after / 1000} s.`),
        );
      }, after);
      this.#pending.set(id, { settle: (answer) => resolve(answer as Answer<R['t']>), fail: reject, timer });
      socket.send(encodeMessage({ ...request, id }) as Uint8Array<ArrayBuffer>);
    });
  }

  /** Sends a streamed message, or drops it when there is no connection or the connection is backed up. */
  stream(message: ClientStream): void {
    const socket = this.#socket;
    if (this.#state.status !== 'open' || socket?.readyState !== WebSocket.OPEN) return;
    if (message.t === 'mic' && socket.bufferedAmount > BACKLOG) {
      this.droppedPackets++;
      return;
    }
    socket.send(encodeMessage(message) as Uint8Array<ArrayBuffer>);
  }

  /** Tries at once instead of at `retryAt`. */
  retryNow(): void {
    if (this.#state.status !== 'waiting') return;
    clearTimeout(this.#retry);
    this.#reconnect(this.#state.attempt);
  }

  close(): void {
    if (this.#state.status === 'closed') return;
    this.#enter({ status: 'closed' });
    clearTimeout(this.#retry);
    this.#socket?.close(CLOSE.normal);
    this.#failPending(new VoiceError('closed', 'The connection was closed.'));
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.emit('state', state);
  }

  #failPending(error: VoiceError): void {
    for (const { fail, timer } of this.#pending.values()) {
      clearTimeout(timer);
      fail(error);
    }
    this.#pending.clear();
  }

  /** One try: socket, hello, identify. From its success on, a closure leads to retries. */
  async #attempt(attempt: number): Promise<Identified> {
    this.#enter({ status: 'connecting', attempt });
    const { url, token } = this.#options;
    // A browser is not told why an upgrade was refused, so the token waits for `identify`, whose refusal says why.
    // A sidecar on another machine takes it with the upgrade only.
    const socket = new WebSocket(url, subprotocols(isLoopback(url) ? undefined : token));
    socket.binaryType = 'arraybuffer';
    // The closure that follows an error says as much; without a listener, WebSockets outside browsers throw.
    socket.onerror = () => {};
    this.#socket = socket;
    const closure = new Promise<never>((_, reject) => {
      socket.onclose = (event) => reject(this.#whyClosed(event));
    });
    try {
      const hello = await Promise.race([this.#hello(socket), closure]);
      const identified = await Promise.race([this.#identify(hello), closure]);
      socket.onclose = (event) => this.#dropped(this.#whyClosed(event));
      return identified;
    } catch (error) {
      socket.onclose = socket.onmessage = null;
      socket.close();
      this.#failPending(error as VoiceError);
      throw error;
    }
  }

  #hello(socket: WebSocket): Promise<Hello> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new VoiceError('timeout', 'Something answered, but it did not say hello as a sidecar does.'),
          ),
        HELLO_TIMEOUT_MS,
      );
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
        const message = this.#parse(data);
        if (message?.t === 'hello') {
          clearTimeout(timer);
          resolve(message);
        } else if (message) this.#take(message);
      };
    });
  }

  #identify(hello: Hello): Promise<Identified> {
    const token = hello.auth ? this.#options.token : undefined;
    return this.request({
      t: 'identify',
      v: PROTOCOL_VERSION,
      client: this.#options.client,
      ...(token === undefined ? {} : { token }),
      codec: 's16',
      rate: 24_000,
      ch: 1,
    });
  }

  #parse(data: unknown): ServerMessage | undefined {
    if (!(data instanceof ArrayBuffer)) return undefined;
    try {
      return parseServerMessage(new Uint8Array(data));
    } catch (error) {
      // A later sidecar may volunteer types this version does not know; they are passed over.
      if (!(error instanceof NpcVoiceError)) throw error;
      if (error.code !== 'unknown_type') console.warn(`NPC Voice: ${error.message}`);
      return undefined;
    }
  }

  #take(message: ServerMessage): void {
    const id = 'id' in message ? message.id : undefined;
    if (typeof id !== 'number') {
      this.emit('message', message);
      return;
    }
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (message.t === 'error') pending.fail(VoiceError.fromMessage(message));
    else pending.settle(message);
  }

  #whyClosed(event: CloseEvent): VoiceError {
    const fatal = FATAL.get(event.code);
    if (fatal) return fatal();
    if (this.#state.status === 'open')
      return new VoiceError('closed', 'The connection to the sidecar was lost.');
    return new VoiceError('unreachable', `No sidecar answered at ${this.#options.url}.`, {
      hint: "Start it with `npc-voice serve`; if it runs, allow this page's origin with --allow-origin.",
    });
  }

  #dropped(why: VoiceError): void {
    this.#failPending(why);
    if (this.#state.status === 'closed') return;
    if (isFatal(why)) this.#enter({ status: 'closed', why });
    else this.#wait(1, why);
  }

  #wait(attempt: number, why: VoiceError): void {
    const full = Math.min(RETRY_MAX_MS, (this.#options.retryMs ?? 250) * 2 ** (attempt - 1));
    // Jitter, so that the pages of one machine do not all knock in the same millisecond after a restart.
    const delay = full * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => this.#reconnect(attempt), delay);
    this.#enter({ status: 'waiting', attempt, retryAt: Date.now() + delay, why });
  }

  #reconnect(attempt: number): void {
    this.#attempt(attempt).then(
      (identified) => {
        this.#state = { status: 'open', session: identified.session };
        // What was there before is asked for first, ahead of anything that those who hear of the state ask for.
        this.emit('reopened', identified);
        this.emit('state', this.#state);
      },
      (why: VoiceError) => {
        if (this.#state.status === 'closed') return;
        if (isFatal(why)) this.#enter({ status: 'closed', why });
        else this.#wait(attempt + 1, why);
      },
    );
  }
}

const isLoopback = (url: string): boolean =>
  /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
const isFatal = (why: VoiceError): boolean => why.code === 'unauthorized' || why.code === 'version';
