/**
 * One WebSocket: hello, identify, then requests answered once each and streams passed on, all within limits.
 * Whatever a client sends, it costs no more than its own connection.
 */
import type { WebSocket } from 'ws';
import { asNpcVoiceError, NpcVoiceError } from '../errors';
import { FRAME_MS, SAMPLE_RATE } from '../audio/frame';
import {
  CLOSE, encodeMessage, errorMessage, parseClientMessage, PROTOCOL_VERSION, requestIdOf,
  type ClientRequest, type ClientStream, type CloseCode, type Identify, type ServerMessage,
} from '../wire'; // prettier-ignore
import type { ServerLimits } from './limits';
import type { Log } from './log';
import type { Metrics } from './metrics';
import { Bucket } from './rate';
import { handle, type ModelState } from './requests';
import type { PersonaLibrary } from '../personas';
import { Session, type CreateScene, type Outbox } from './session';
import type { WatchHub } from './watch';

/** What all connections share. */
export interface Services {
  version: string;
  library: PersonaLibrary;
  model: ModelState;
  createScene: CreateScene;
  newSessionId: () => string;
  isToken: (candidate: string) => boolean;
  hub: WatchHub;
  metrics: Metrics;
  limits: ServerLimits;
  log: Log;
}

/** Opening, the client has not said who it is; open, it has a session; closed, nothing is sent any more. */
type State =
  { name: 'opening'; timeout: NodeJS.Timeout } | { name: 'open'; session: Session } | { name: 'closed' };

export class Connection implements Outbox {
  readonly #socket: WebSocket;
  readonly #services: Services;
  readonly #authorised: boolean;
  readonly #onClosed: () => void;
  readonly #messages: Bucket;
  readonly #requests: Bucket;
  readonly #patience: Bucket;
  readonly #ping: NodeJS.Timeout;
  /** Microphones told about once as unknown, so that a stream of packets is one error. */
  readonly #unknownMics = new Set<string>();
  #state: State;
  #inFlight = 0;
  #lastHeard = performance.now();
  #stalledSince: number | undefined;
  droppedFrames = 0;
  refused = 0;

  /** `authorised`: the token came with the upgrade. `onClosed`: once its scene has ended too. */
  constructor(socket: WebSocket, services: Services, authorised: boolean, onClosed: () => void) {
    this.#socket = socket;
    this.#services = services;
    this.#authorised = authorised;
    this.#onClosed = onClosed;
    const { limits } = services;
    const now = (): number => performance.now();
    this.#messages = new Bucket(limits.messagesPerSecond, limits.messagesPerSecond, now);
    this.#requests = new Bucket(limits.requestBurst, limits.requestsPerSecond, now);
    this.#patience = new Bucket(limits.refusals, limits.refusals / 20, now);
    const timeout = setTimeout(() => this.#onIdentifyTimeout(), limits.identifyMs);
    this.#state = { name: 'opening', timeout };
    this.#ping = setInterval(() => this.#checkLife(), limits.pingMs);
    socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    socket.on('pong', () => (this.#lastHeard = performance.now()));
    socket.on('error', (error) => services.log.debug(`a connection failed: ${error.message}`));
    socket.on('close', (code) => void this.#onClose(code));
    this.send({
      t: 'hello',
      v: PROTOCOL_VERSION,
      server: `npc-voice/${services.version}`,
      tick: FRAME_MS,
      auth: !authorised,
    });
  }

  get session(): Session | undefined {
    return this.#state.name === 'open' ? this.#state.session : undefined;
  }
  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }
  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: ServerMessage): void {
    this.#put(encodeMessage(message));
  }

  sendDroppable(message: ServerMessage | Uint8Array): void {
    if (!this.#isOpen) return;
    const now = performance.now();
    if (this.buffered < this.#services.limits.dropAudioBytes) {
      this.#stalledSince = undefined;
      this.#put(message instanceof Uint8Array ? message : encodeMessage(message));
      return;
    }
    this.droppedFrames++;
    this.#services.metrics.dropped('slow_consumer', 1);
    this.#stalledSince ??= now;
    if (now - this.#stalledSince > this.#services.limits.stalledMs) this.#cutOffSlow();
  }

  close(code: CloseCode, reason: string): void {
    if (!this.#isOpen) return;
    if (code !== CLOSE.normal && code !== CLOSE.goingAway) {
      this.#services.metrics.refusals.inc({ code: String(code) });
      this.#services.log.warn(`closing ${this.#name()}: ${code} ${reason}`);
    }
    this.#socket.close(code, reason);
  }

  /** Ends the connection without waiting for the client. */
  terminate(): void {
    this.#socket.terminate();
  }

  #put(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#socket.send(bytes);
    if (this.buffered > this.#services.limits.closeBytes) this.#cutOffSlow();
  }

  /** A close frame would wait behind everything unread, so the connection does not wait for it long. */
  #cutOffSlow(): void {
    this.close(CLOSE.slowConsumer, 'the client does not read what it is sent');
    setTimeout(() => this.terminate(), this.#services.limits.goodbyeMs).unref();
  }

  #name(): string {
    const { session } = this;
    return session ? `${session.client} (${session.id})` : 'a connection';
  }

  #onIdentifyTimeout(): void {
    this.close(CLOSE.notIdentified, `no identify within ${this.#services.limits.identifyMs} ms`);
  }

  #checkLife(): void {
    if (performance.now() - this.#lastHeard > 3 * this.#services.limits.pingMs) {
      this.close(CLOSE.silent, 'nothing was heard of the client');
      this.terminate();
      return;
    }
    if (this.#isOpen) this.#socket.ping();
  }

  async #onClose(code: number): Promise<void> {
    const state = this.#state;
    const name = this.#name();
    this.#state = { name: 'closed' };
    clearInterval(this.#ping);
    if (state.name === 'opening') clearTimeout(state.timeout);
    try {
      if (state.name === 'open') {
        await state.session.close();
        this.#services.log.info(`${name} left (${code})`);
      }
    } catch (error) {
      this.#services.log.error(`${name} did not end cleanly: ${String(error)}`);
    } finally {
      this.#onClosed();
    }
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.#isOpen) return;
    this.#lastHeard = performance.now();
    if (!isBinary) {
      this.send(
        errorMessage(new NpcVoiceError('bad_message', 'Messages are binary (MessagePack), not text.')),
      );
      this.close(CLOSE.textMessage, 'messages are binary');
      return;
    }
    if (!this.#messages.take()) {
      this.#refuseForSpeed();
      return;
    }
    try {
      const message = parseClientMessage(data);
      if (message.t === 'mic' || message.t === 'played') this.#onStream(message);
      else this.#onRequest(message);
    } catch (thrown) {
      const error = asNpcVoiceError(thrown);
      if (this.#requests.take()) this.#answerError(error, requestIdOf(error));
      else this.#refuseForSpeed(requestIdOf(error));
    }
  }

  /** A message is not looked at, because there are too many. */
  #refuseForSpeed(id?: number): void {
    this.refused++;
    this.#services.metrics.dropped('rate', 1);
    if (id !== undefined) {
      const { requestsPerSecond } = this.#services.limits;
      this.#answerError(
        new NpcVoiceError('too_fast', `At most ${requestsPerSecond} requests a second are answered.`, {
          hint: 'Wait a second, then send it again.',
        }),
        id,
      );
    }
    if (!this.#patience.take()) this.close(CLOSE.tooFast, 'too many messages');
  }

  #onStream(message: ClientStream): void {
    const { session } = this;
    if (!session) throw notIdentified();
    if (message.t === 'played') {
      session.scene.played(message.npc, message.n, message.s ?? (SAMPLE_RATE * FRAME_MS) / 1000);
      return;
    }
    if (session.hasMic(message.mic)) {
      session.scene.micPacket(message.mic, message.n, message.pcm);
      return;
    }
    this.#services.metrics.dropped('mic_unknown', 1);
    // Packets sent before word of a closed microphone came back are nobody's fault, so it is said once.
    if (this.#unknownMics.has(message.mic) || this.#unknownMics.size >= 64) return;
    this.#unknownMics.add(message.mic);
    throw new NpcVoiceError('unknown_mic', `There is no microphone ${JSON.stringify(message.mic)}.`, {
      hint: 'Open it with open_mic first; its packets are ignored until then.',
    });
  }

  #onRequest(request: ClientRequest): void {
    if (!this.#requests.take()) {
      this.#refuseForSpeed(request.id);
      return;
    }
    const { limits } = this.#services;
    if (this.#inFlight >= limits.inFlight) {
      const error = new NpcVoiceError(
        'too_many',
        `At most ${limits.inFlight} requests may await their answer.`,
      );
      this.#answerError(error, request.id);
      return;
    }
    let result: object | void | Promise<object | void>;
    try {
      result = request.t === 'identify' ? this.#identify(request) : this.#handle(request);
    } catch (thrown) {
      this.#answerError(asNpcVoiceError(thrown), request.id);
      return;
    }
    if (!(result instanceof Promise)) {
      this.#answer(request, result);
      return;
    }
    this.#inFlight++;
    void result
      .then(
        (value) => this.#answer(request, value),
        (thrown: unknown) => this.#answerError(asNpcVoiceError(thrown), request.id),
      )
      .finally(() => this.#inFlight--);
  }

  #handle(request: Exclude<ClientRequest, Identify>): object | void | Promise<object | void> {
    const { session } = this;
    if (!session) throw notIdentified();
    const { library, model } = this.#services;
    return handle(request, { session, library, model });
  }

  #answer(request: ClientRequest, result: object | void): void {
    if (request.t === 'identify') this.send(result as ServerMessage);
    else this.send({ t: 'ok', id: request.id, ...result });
  }

  #answerError(error: NpcVoiceError, id: number | undefined): void {
    if (error.code === 'internal')
      this.#services.log.error(
        `${this.#name()}: ${(error.cause as Error | undefined)?.stack ?? error.message}`,
      );
    else this.#services.log.debug(`${this.#name()}: ${error.code} ${error.message}`);
    this.send(errorMessage(error, id));
  }

  #identify({ id, v, client, token, codec, rate, ch }: Identify): ServerMessage {
    if (this.#state.name !== 'opening')
      throw new NpcVoiceError('already_identified', 'This connection is identified already.');
    if (v !== PROTOCOL_VERSION) {
      this.#closeAfterAnswer(CLOSE.version, `this sidecar speaks version ${PROTOCOL_VERSION}`);
      throw new NpcVoiceError(
        'version',
        `This sidecar speaks version ${PROTOCOL_VERSION}, the client ${v}.`,
        {
          hint: 'Bring the plugin and the sidecar to the same release.',
        },
      );
    }
    const isKnown = token === undefined ? this.#authorised : this.#services.isToken(token);
    if (!isKnown) {
      this.#closeAfterAnswer(CLOSE.unauthorized, 'the token is missing or wrong');
      throw new NpcVoiceError('unauthorized', `The token is ${token === undefined ? 'missing' : 'wrong'}.`, {
        hint: 'The runtime file of the running sidecar has it; a sidecar started anew has a new one.',
      });
    }
    const { createScene, hub, metrics, log, library, newSessionId } = this.#services;
    const { info } = this.#services.model;
    const format = { codec: codec ?? 's16', rate: rate ?? SAMPLE_RATE, channels: ch ?? 1 } as const;
    const session = new Session({
      id: newSessionId(), client, format, outbox: this, createScene, hub, metrics, log,
    }); // prettier-ignore
    clearTimeout(this.#state.timeout);
    this.#state = { name: 'open', session };
    log.info(`${this.#name()} connected`);
    return {
      t: 'identified',
      id,
      v: PROTOCOL_VERSION,
      session: session.id,
      model: { id: info.id, name: info.name, scripted: info.scripted, about: info.about },
      capacity: info.capacity,
      personas: [...library.list()],
      voices: [...library.voices()],
    };
  }

  /** The error goes out first: it says more than a close code can. */
  #closeAfterAnswer(code: CloseCode, reason: string): void {
    queueMicrotask(() => this.close(code, reason));
  }
}

const notIdentified = (): NpcVoiceError =>
  new NpcVoiceError('not_identified', 'Identify first.', { hint: 'Answer hello with identify.' });
