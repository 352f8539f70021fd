/** Chance, repeatable: everything a seat chooses comes from one seed. */

/** Numbers in [0, 1) from a seed. mulberry32, public domain (Tommy Ettinger, 2017). */
export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }
}

/** Draws each index once before any comes again, and never one twice in a row. */
export class Bag {
  readonly #chance: Chance;
  readonly #size: number;
  #left: number[] = [];
  #last = -1;

  constructor(size: number, chance: Chance) {
    this.#size = size;
    this.#chance = chance;
  }

  /** An index below the size, or undefined when that is 0. */
  draw(): number | undefined {
    if (this.#size === 0) return undefined;
    if (this.#left.length === 0) this.#refill();
    this.#last = this.#left.pop()!;
    return this.#last;
  }

  #refill(): void {
    const all = Array.from({ length: this.#size }, (_, index) => index);
    for (let i = all.length - 1; i > 0; i--) {
      const j = Math.floor(this.#chance.next() * (i + 1));
      [all[i], all[j]] = [all[j]!, all[i]!];
    }
    // The end is drawn first.
    if (this.#size > 1 && all.at(-1) === this.#last) [all[0], all[all.length - 1]] = [all.at(-1)!, all[0]!];
    this.#left = all;
  }
}
