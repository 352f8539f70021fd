/** Samples in a packet: 20 ms at 24 kHz. */
export const PACKET = 480;

/** Cuts a stream of 24 kHz samples into s16 packets of 20 ms. */
export class Packetiser {
  readonly #onPacket: (pcm: Uint8Array, level: number) => void;
  #bytes = new Uint8Array(PACKET * 2);
  #filled = 0;
  #energy = 0;

  constructor(onPacket: (pcm: Uint8Array, level: number) => void) {
    this.#onPacket = onPacket;
  }

  push(samples: Float32Array): void {
    for (const sample of samples) {
      const clipped = Math.max(-1, Math.min(1, sample));
      const value = Math.round(clipped * 32767);
      this.#bytes[this.#filled * 2] = value & 0xff;
      this.#bytes[this.#filled * 2 + 1] = (value >> 8) & 0xff;
      this.#energy += clipped * clipped;
      if (++this.#filled === PACKET) this.#emit();
    }
  }

  #emit(): void {
    const level = Math.sqrt(this.#energy / PACKET);
    this.#filled = 0;
    this.#energy = 0;
    const bytes = this.#bytes;
    // A new array each time: the packet is transferred to the page.
    this.#bytes = new Uint8Array(PACKET * 2);
    this.#onPacket(bytes, level);
  }
}
