/** The microphones of a scene, and which of them drives the tick: the first one opened, unless another is named. */
import type { AudioFormat } from '../audio';
import { NpcVoiceError } from '../errors';
import type { SoundSource } from '../wire/messages';
import type { Clock } from './clock';
import type { SentVoices } from './echo';
import { Microphone } from './microphone';
import type { Ticker } from './tick';

export class Microphones {
  readonly sounds = new Map<SoundSource, Microphone>();
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #most: number;
  #primary: Microphone | null = null;
  /** Packets that named no open microphone. */
  strayPackets = 0;

  constructor(clock: Clock, ticker: Ticker, most: number) {
    this.#clock = clock;
    this.#ticker = ticker;
    this.#most = most;
  }

  /** Throws NpcVoiceError `mic_exists`, `too_many`, `bad_audio`. */
  open(id: string, format: AudioFormat, primary: boolean): void {
    if (this.sounds.has(`mic:${id}`))
      throw new NpcVoiceError('mic_exists', `The microphone "${id}" is open already.`, {
        hint: 'Close it first.',
      });
    if (this.sounds.size >= this.#most)
      throw new NpcVoiceError('too_many', `A scene has at most ${this.#most} microphones.`);
    const leads = primary || this.#primary === null;
    const mic = new Microphone(id, format, leads, this.#clock);
    this.sounds.set(`mic:${id}`, mic);
    if (leads) this.#lead(mic);
  }

  /** Throws NpcVoiceError `unknown_mic`. */
  get(id: string): Microphone {
    const mic = this.sounds.get(`mic:${id}`);
    if (!mic)
      throw new NpcVoiceError('unknown_mic', `No microphone "${id}" is open.`, {
        hint: 'Send open_mic first.',
      });
    return mic;
  }

  close(id: string): void {
    const mic = this.get(id);
    this.sounds.delete(`mic:${id}`);
    mic.close();
    if (mic !== this.#primary) return;
    this.#primary = null;
    const [heir] = this.sounds.values();
    if (heir) this.#lead(heir, true);
    else this.#ticker.follow(null);
  }

  packet(id: string, n: number, bytes: Uint8Array): void {
    const mic = this.sounds.get(`mic:${id}`);
    if (!mic) {
      this.strayPackets++;
      return;
    }
    mic.packet(n, bytes);
    if (mic === this.#primary) this.#ticker.packet();
  }

  /** Every microphone moves on to its next frame, through the echo guard where `sent` is given. */
  next(sent: SentVoices | null): void {
    for (const mic of this.sounds.values()) mic.next(sent);
  }

  closeAll(): void {
    for (const mic of this.sounds.values()) mic.close();
    this.sounds.clear();
    this.#primary = null;
  }

  #lead(mic: Microphone, wasSteered = false): void {
    this.#primary?.setPrimary(false);
    if (wasSteered) mic.setPrimary(true);
    this.#primary = mic;
    this.#ticker.follow(mic);
  }
}
