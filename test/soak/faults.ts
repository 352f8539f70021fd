/** A bad connection, repeatable: what it does to a microphone's packets, and a ledger of it. */

/** Numbers in [0, 1) from a seed: xorshift32 (G. Marsaglia, 2003). */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) / 2 ** 32;
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)]!;
  }
}

export interface Ledger {
  sent: number;
  dropped: number;
  duplicated: number;
  overtaken: number;
  malformed: number;
  /** Packets whose samples, real or concealed, the sidecar has to account for. */
  placed: number;
}

interface Packet {
  n: number;
  bytes: Uint8Array;
}

/** One microphone behind a bad connection. */
export class FaultyMic {
  readonly ledger: Ledger = { sent: 0, dropped: 0, duplicated: 0, overtaken: 0, malformed: 0, placed: 0 };
  /** No faults, as at the end when the books are closed. */
  honest = false;
  readonly #dice: Dice;
  readonly #send: (n: number, bytes: Uint8Array) => void;
  #n = 0;
  #overtaken: Packet | null = null;
  #stalled: Packet[] = [];
  #stallLeft = 0;
  #gap = 0;

  constructor(dice: Dice, send: (n: number, bytes: Uint8Array) => void) {
    this.#dice = dice;
    this.#send = send;
  }

  /** The client makes its next packet. */
  packet(bytes: Uint8Array): void {
    const packet = { n: this.#n++, bytes };
    if (this.#stallLeft === 0 && !this.honest && this.#dice.chance(1 / 400)) this.#stallLeft = 25;
    if (this.#stallLeft > 0) {
      this.#stalled.push(packet);
      // What was held up comes all at once.
      if (--this.#stallLeft === 0) for (const held of this.#stalled.splice(0)) this.#deliver(held);
      return;
    }
    this.#deliver(packet);
  }

  #deliver(packet: Packet): void {
    // The first packet is where counting begins: without it there is no gap to be seen.
    const fault = this.honest || packet.n === 0 ? 1 : this.#dice.next();
    const { ledger } = this;
    if (fault < 0.01) {
      ledger.dropped++;
      this.#gap++;
      return;
    }
    if (fault < 0.02 && this.#overtaken === null) {
      this.#overtaken = packet;
      this.#gap++;
      return;
    }
    if (fault < 0.03) {
      ledger.malformed++;
      this.#put({ n: packet.n, bytes: packet.bytes.subarray(0, 3) });
    } else this.#put(packet);
    // Longer gaps are not filled to their end.
    ledger.placed += 1 + Math.min(this.#gap, 8);
    this.#gap = 0;
    if (fault >= 0.03 && fault < 0.04) {
      ledger.duplicated++;
      this.#put(packet);
    }
    if (!this.#overtaken) return;
    ledger.overtaken++;
    this.#put(this.#overtaken);
    this.#overtaken = null;
  }

  #put({ n, bytes }: Packet): void {
    this.ledger.sent++;
    this.#send(n, bytes);
  }
}
