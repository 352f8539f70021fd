/**
 * One WebSocket: hello, identify, then requests answered once each and streams passed on, all within limits.
 * Whatever a client sends, it costs no more than its own connection.
 */
import type { WebSocket } from 'ws';
import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../audio';
import { asNpcVoiceError, NpcVoiceError } from '../errors';
import type { PersonaLibrary } from '../personas';
import {
  CLOSE, errorMessage, parseClientMessage, PROTOCOL_VERSION, requestIdOf,
  type ClientRequest, type ClientStream, type CloseCode, type Identified, type Identify,
} from '../wire'; // prettier-ignore
import type { ServerLimits } from './limits';
import type { Log } from './log';
import type { Metrics } from './metrics';
import { Outbox } from './outbox';
import { handle, type ModelState } from './requests';
import { Session, type CreateScene } from './session';
import { Throttle } from './throttle';
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
  | { name: 'opening'; timeout: NodeJS.Timeout }
  | { name: 'open'; session: Session }
  | { name: 'closed' }; // prettier-ignore
type Answer = object | void;

export class Connection {
  readonly #socket: WebSocket;
  readonly #services: Services;
  readonly #authorised: boolean;
  readonly #onClosed: () => void;
  readonly #outbox: Outbox;
  readonly #throttle: Throttle;
  readonly #ping: NodeJS.Timeout;
  /** Microphones told about once as unknown, so that a stream of packets is one error. */
  readonly #unknownMics = new Set<string>();
  #state: State;
  #inFlight = 0;
  #lastHeard = performance.now();

  /** `authorised`: the token came with the upgrade. `onClosed`: once its scene has ended too. */
  constructor(socket: WebSocket, services: Services, authorised: boolean, onClosed: () => void) {
    this.#socket = socket;
    this.#services = services;
    this.#authorised = authorised;
    this.#onClosed = onClosed;
    const { limits, log } = services;
    this.#outbox = new Outbox(socket, limits, services.metrics, (code, why) => this.#onClosing(code, why));
    this.#throttle = new Throttle(limits);
    const tooLate = (): void => this.close(CLOSE.notIdentified, `no identify within ${limits.identifyMs} ms`);
    this.#state = { name: 'opening', timeout: setTimeout(tooLate, limits.identifyMs) };
    this.#ping = setInterval(() => this.#checkLife(), limits.pingMs);
    socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    socket.on('pong', () => (this.#lastHeard = performance.now()));
    socket.on('error', (error) => log.debug(`${this.#name()} failed: ${error.message}`));
    socket.on('close', (code) => void this.#onClose(code));
    this.#outbox.send({
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

  close(code: CloseCode, reason: string): void {
    this.#outbox.close(code, reason);
  }

  #name(): string {
    const { session } = this;
    return session ? `${session.client} (${session.id})` : 'a connection';
  }

  #onClosing(code: CloseCode, reason: string): void {
    if (code === CLOSE.normal || code === CLOSE.goingAway) return;
    this.#services.metrics.refusals.inc({ code: String(code) });
    this.#services.log.warn(`closing ${this.#name()}: ${code} ${reason}`);
  }

  #checkLife(): void {
    if (performance.now() - this.#lastHeard > 3 * this.#services.limits.pingMs)
      this.close(CLOSE.silent, 'nothing was heard of the client');
    else if (this.#outbox.isOpen) this.#socket.ping();
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
    if (!this.#outbox.isOpen) return;
    this.#lastHeard = performance.now();
    if (!isBinary) {
      this.#answerError(new NpcVoiceError('bad_message', 'Messages are binary (MessagePack), not text.'));
      this.close(CLOSE.textMessage, 'messages are binary');
      return;
    }
    if (!this.#throttle.admitsMessage()) {
      this.#refuseForSpeed();
      return;
    }
    try {
      const message = parseClientMessage(data);
      if (message.t === 'mic' || message.t === 'played') this.#onStream(message);
      else this.#onRequest(message);
    } catch (thrown) {
      const error = asNpcVoiceError(thrown);
      if (this.#throttle.admitsRequest()) this.#answerError(error, requestIdOf(error));
      else this.#refuseForSpeed(requestIdOf(error));
    }
  }

  /** A message is not acted on, because there are too many. Only requests are told so. */
  #refuseForSpeed(id?: number): void {
    this.#services.metrics.dropped('rate', 1);
    if (id !== undefined) {
      const most = `At most ${this.#services.limits.requestsPerSecond} requests a second are answered.`;
      this.#answerError(
        new NpcVoiceError('too_fast', most, { hint: 'Wait a second, then send it again.' }),
        id,
      );
    }
    if (!this.#throttle.forgives()) this.close(CLOSE.tooFast, 'too many messages');
  }

  #onStream(message: ClientStream): void {
    const { session } = this;
    if (!session) throw notIdentified();
    if (message.t === 'played') session.scene.played(message.npc, message.n, message.s ?? FRAME_SAMPLES);
    else {
      // The scene counts those of a microphone that is not open.
      session.scene.micPacket(message.mic, message.n, message.pcm);
      if (!session.hasMic(message.mic)) this.#onUnknownMic(message.mic);
    }
  }

  #onUnknownMic(mic: string): void {
    this.#services.metrics.dropped('mic_unknown', 1);
    if (this.#unknownMics.has(mic) || this.#unknownMics.size >= 64) return;
    this.#unknownMics.add(mic);
    throw new NpcVoiceError('unknown_mic', `There is no microphone "${mic}".`, {
      hint: 'Open it with open_mic first; its packets are ignored until then.',
    });
  }

  #onRequest(request: ClientRequest): void {
    const { id } = request;
    if (!this.#throttle.admitsRequest()) {
      this.#refuseForSpeed(id);
      return;
    }
    const { inFlight } = this.#services.limits;
    if (this.#inFlight >= inFlight) {
      const error = new NpcVoiceError('too_many', `At most ${inFlight} requests may await their answer.`);
      this.#answerError(error, id);
      return;
    }
    let result: Answer | Promise<Answer>;
    try {
      result = this.#handle(request);
    } catch (thrown) {
      this.#answerError(asNpcVoiceError(thrown), id);
      return;
    }
    // What is done at once is answered at once, before anything that comes after it is begun.
    if (!(result instanceof Promise)) {
      this.#answer(id, result);
      return;
    }
    this.#inFlight++;
    void result
      .then(
        (value) => this.#answer(id, value),
        (thrown: unknown) => this.#answerError(asNpcVoiceError(thrown), id),
      )
      .finally(() => this.#inFlight--);
  }

  #handle(request: ClientRequest): Answer | Promise<Answer> {
    if (request.t === 'identify') return this.#identify(request);
    const { session } = this;
    if (!session) throw notIdentified();
    const { library, model } = this.#services;
    return handle(request, { session, library, model });
  }

  /** A result that names a type is the whole answer; any other is what `ok` carries. */
  #answer(id: number, result: Answer): void {
    this.#outbox.send({ t: 'ok', id, ...result });
  }

  #answerError(error: NpcVoiceError, id?: number): void {
    const { log } = this.#services;
    if (error.code === 'internal')
      log.error(`${this.#name()}: ${error.cause instanceof Error ? error.cause.stack : error.message}`);
    else log.debug(`${this.#name()}: ${error.code} ${error.message}`);
    this.#outbox.send(errorMessage(error, id));
  }

  #identify({ id, v, client, token, codec, rate, ch }: Identify): Identified {
    if (this.#state.name !== 'opening')
      throw new NpcVoiceError('already_identified', 'This connection is identified already.');
    if (v !== PROTOCOL_VERSION) {
      this.#closeAfterAnswer(CLOSE.version, `this sidecar speaks version ${PROTOCOL_VERSION}`);
      const versions = `This sidecar speaks version ${PROTOCOL_VERSION}, the client ${v}.`;
      throw new NpcVoiceError('version', versions, {
        hint: 'Bring the plugin and the sidecar to the same release.',
      });
    }
    const isKnown = token === undefined ? this.#authorised : this.#services.isToken(token);
    if (!isKnown) {
      this.#closeAfterAnswer(CLOSE.unauthorized, 'the token is missing or wrong');
      throw new NpcVoiceError('unauthorized', `The token is ${token === undefined ? 'missing' : 'wrong'}.`, {
        hint: 'The runtime file of the running sidecar has it; a sidecar started anew has a new one.',
      });
    }
    const { createScene, hub, metrics, log, library, newSessionId } = this.#services;
    const { id: model, name, scripted, about, capacity } = this.#services.model.info;
    const session = new Session({
      id: newSessionId(),
      client,
      format: { codec: codec ?? 's16', rate: rate ?? SAMPLE_RATE, channels: ch ?? 1 },
      outbox: this.#outbox,
      refused: () => this.#throttle.refused,
      createScene,
      hub,
      metrics,
      log,
    });
    clearTimeout(this.#state.timeout);
    this.#state = { name: 'open', session };
    log.info(`${this.#name()} connected`);
    return {
      t: 'identified',
      id,
      v: PROTOCOL_VERSION,
      session: session.id,
      model: { id: model, name, scripted, about },
      capacity,
      personas: library.list(),
      voices: library.voices(),
    };
  }

  /** The error goes out first: it says more than a close code can. */
  #closeAfterAnswer(code: CloseCode, reason: string): void {
    queueMicrotask(() => this.close(code, reason));
  }
}

const notIdentified = (): NpcVoiceError =>
  new NpcVoiceError('not_identified', 'Identify first.', { hint: 'Answer hello with identify.' });
