import { askForMicrophone, Capture, type DeviceOptions } from './capture/capture';
import { Emitter } from './emitter';
import type { VoiceError } from './errors';
import type { Ask, Request } from './link';
import { isTyping } from './typing';

export interface MicrophoneOptions extends DeviceOptions {
  /** Its id in the scene; default `player`. */
  id?: string;
  /** Drives the sidecar's tick; default: the first one opened. */
  primary?: boolean;
  /** A stream you already have, instead of asking for a device. */
  stream?: MediaStream;
}

export interface MicrophoneEvents {
  /** RMS of the last 20 ms, 0..1, before anything is sent. */
  level: number;
  /** The sidecar's view, each 80 ms. */
  heard: { level: number; voiced: boolean };
  muted: boolean;
  /** The device went away and no other could be opened. */
  lost: VoiceError;
  closed: void;
}

/** What a microphone needs of its connection. */
export interface MicrophonePort {
  readonly request: Ask;
  packet(mic: string, n: number, pcm: Uint8Array): void;
  closed(mic: string): void;
}

/**
 * A microphone on its way to the sidecar: 24 kHz s16 in packets of 20 ms. Made by `NpcVoice.openMicrophone`.
 *
 * Muted, nothing leaves the page: the sidecar hears silence and its own timer keeps the scene's clock.
 */
export class Microphone extends Emitter<MicrophoneEvents> {
  readonly id: string;
  readonly #options: MicrophoneOptions;
  readonly #context: AudioContext;
  readonly #port: MicrophonePort;
  #capture: Capture;
  #n = 0;
  #level = 0;
  #muted = false;
  #closed = false;

  constructor(options: MicrophoneOptions, stream: MediaStream, context: AudioContext, port: MicrophonePort) {
    super();
    this.id = options.id ?? 'player';
    this.#options = options;
    this.#context = context;
    this.#port = port;
    this.#capture = this.#start(stream);
  }

  get muted(): boolean {
    return this.#muted;
  }
  /** RMS of the last 20 ms, 0..1. */
  get level(): number {
    return this.#level;
  }
  get stream(): MediaStream {
    return this.#capture.stream;
  }
  /** The device in use, where the browser tells. */
  get deviceId(): string | undefined {
    return this.stream.getAudioTracks()[0]?.getSettings().deviceId;
  }

  /** Takes effect here at once, whatever becomes of the connection. */
  async mute(on = true): Promise<void> {
    if (on === this.#muted) return;
    this.#muted = on;
    this.#capture.enable(!on);
    if (on) this.#setLevel(0);
    this.emit('muted', on);
    await this.#port.request({ t: 'mute', mic: this.id, on });
  }

  /**
   * Mutes while `button` or `key` (as in `KeyboardEvent.key`) is held down. Keys typed into text are left alone.
   * Returns what undoes it.
   */
  holdToMute(button: HTMLElement, key = ' '): () => void {
    const set = (on: boolean): void => void this.mute(on).catch(() => {});
    const down = (event: Event): void => {
      if (event instanceof KeyboardEvent) {
        if (event.key !== key || event.repeat || isTyping(event)) return;
        // Another button's key press is that button's.
        if (event.target instanceof HTMLButtonElement && event.target !== button) return;
      }
      event.preventDefault();
      set(true);
    };
    const up = (event: Event): void => {
      if (event instanceof KeyboardEvent && event.key !== key) return;
      set(false);
    };
    const bound: [EventTarget, string, (event: Event) => void][] = [
      [button, 'pointerdown', down],
      [window, 'pointerup', up],
      [window, 'pointercancel', up],
      [window, 'keydown', down],
      [window, 'keyup', up],
      // A key let go of in another window is never seen.
      [window, 'blur', up],
    ];
    for (const [target, type, listener] of bound) target.addEventListener(type, listener);
    return () => {
      for (const [target, type, listener] of bound) target.removeEventListener(type, listener);
    };
  }

  /** Moves to another input device without a gap in packet numbers. */
  async setDevice(deviceId: string | undefined): Promise<void> {
    const { deviceId: _, ...rest } = this.#options;
    const stream = await askForMicrophone(deviceId === undefined ? rest : { ...rest, deviceId });
    this.#capture.stop();
    this.#capture = this.#start(stream);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.end();
    await this.#port.request({ t: 'close_mic', mic: this.id });
  }

  /** What opens it on the wire. @internal */
  get opening(): Extract<Request, { t: 'open_mic' }> {
    const { primary } = this.#options;
    const format = { codec: 's16', rate: 24_000, ch: 1 } as const;
    return { t: 'open_mic', mic: this.id, ...format, ...(primary === undefined ? {} : { primary }) };
  }

  /** Packet numbers begin again, as on a new connection. @internal */
  restart(): void {
    this.#n = 0;
  }

  /** Lets go of the device. @internal */
  end(): void {
    this.#closed = true;
    this.#capture.stop();
    this.#port.closed(this.id);
    this.emit('closed', undefined);
  }

  /** @internal */
  heard(level: number, voiced: boolean): void {
    this.emit('heard', { level, voiced });
  }

  #start(stream: MediaStream): Capture {
    const capture = new Capture(
      this.#context,
      stream,
      ({ pcm, level }) => {
        if (this.#muted || this.#closed) return;
        this.#setLevel(level);
        this.#port.packet(this.id, this.#n, pcm);
        this.#n = (this.#n + 1) >>> 0;
      },
      () => void this.#fallBack(),
    );
    capture.enable(!this.#muted);
    return capture;
  }

  #setLevel(level: number): void {
    this.#level = level;
    this.emit('level', level);
  }

  /** The device was unplugged: whatever the system offers now is better than silence. */
  async #fallBack(): Promise<void> {
    try {
      await this.setDevice(undefined);
    } catch (error) {
      this.#setLevel(0);
      this.emit('lost', error as VoiceError);
    }
  }
}
