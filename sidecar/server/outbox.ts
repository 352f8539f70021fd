/** What goes out on one socket, and what does not when the client does not keep up. */
import type { WebSocket } from 'ws';
import { CLOSE, encodeMessage, type CloseCode, type ServerMessage } from '../wire';
import type { ServerLimits } from './limits';
import type { Metrics } from './metrics';

export class Outbox {
  readonly #socket: WebSocket;
  readonly #limits: ServerLimits;
  readonly #metrics: Metrics;
  readonly #onClosing: (code: CloseCode, reason: string) => void;
  #stalledSince: number | undefined;
  /** Messages dropped because the client did not read. */
  dropped = 0;

  /** `onClosing` is told once, when the sidecar ends the connection. */
  constructor(
    socket: WebSocket,
    limits: ServerLimits,
    metrics: Metrics,
    onClosing: (code: CloseCode, reason: string) => void,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#onClosing = onClosing;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }
  /** Bytes waiting for the client to read them. */
  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  send(message: ServerMessage): void {
    this.#put(encodeMessage(message));
  }

  /** Sends what may be dropped when the client does not keep up: NPC audio, and scenes it watches. */
  sendDroppable(message: ServerMessage | Uint8Array): void {
    if (!this.isOpen) return;
    if (this.buffered < this.#limits.dropAudioBytes) {
      this.#stalledSince = undefined;
      this.#put(message instanceof Uint8Array ? message : encodeMessage(message));
      return;
    }
    this.dropped++;
    this.#metrics.dropped('slow_consumer', 1);
    const now = performance.now();
    this.#stalledSince ??= now;
    if (now - this.#stalledSince > this.#limits.stalledMs) this.#cutOff();
  }

  /** Ends the connection. A client that does not answer, or does not even read so far, is not waited for long. */
  close(code: CloseCode, reason: string): void {
    if (!this.isOpen) return;
    this.#onClosing(code, reason);
    this.#socket.close(code, reason);
    const impatient = setTimeout(() => this.#socket.terminate(), this.#limits.goodbyeMs);
    this.#socket.once('close', () => clearTimeout(impatient));
  }

  #put(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    this.#socket.send(bytes);
    if (this.buffered > this.#limits.closeBytes) this.#cutOff();
  }

  #cutOff(): void {
    this.close(CLOSE.slowConsumer, 'the client does not read what it is sent');
  }
}
