/**
 * Prompts that have been computed, kept so that an NPC is attached or switched by a copy. Bounded in bytes; the one
 * that was used longest ago goes first. A prompt in use is not dropped.
 */
import { createHash } from 'node:crypto';
import type { Primed, PromptColumns } from '../generator';
import type { PrimedFigures } from './messages';

interface Entry {
  primed: Promise<Primed>;
  bytes: number;
  users: number;
}

/** A prompt held in use. */
export interface PrimedLease {
  primed: Primed;
  /** It had been computed before. */
  wasPrimed: boolean;
  release(): void;
}

export class PrimedPrompts {
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /**
   * @param limit bytes that all prompts together may take
   * @param bytesPerColumn keys and values of one column
   */
  constructor(
    private readonly limit: number,
    private readonly bytesPerColumn: number,
  ) {}

  /** The prompt of these columns; `prime` computes it when there is none. Release it after use. */
  async acquire(columns: PromptColumns, prime: () => Promise<Primed>): Promise<PrimedLease> {
    const key = digest(columns);
    let entry = this.#entries.get(key);
    const wasPrimed = entry !== undefined;
    if (entry) {
      this.#hits++;
      this.#entries.delete(key);
    } else {
      this.#misses++;
      entry = { primed: prime(), bytes: columns.count * this.bytesPerColumn, users: 0 };
      this.#bytes += entry.bytes;
    }
    this.#entries.set(key, entry);
    entry.users++;
    const held = entry;
    try {
      return { primed: await held.primed, wasPrimed, release: () => this.#release(held) };
    } catch (error) {
      this.#forget(key, held);
      throw error;
    }
  }

  figures(): PrimedFigures {
    const { size } = this.#entries;
    return {
      prompts: size,
      bytes: this.#bytes,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
    };
  }

  #release(entry: Entry): void {
    entry.users--;
    for (const [key, other] of this.#entries) {
      if (this.#bytes <= this.limit) break;
      if (other.users > 0) continue;
      this.#evictions++;
      this.#forget(key, other);
      void dispose(other);
    }
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

async function dispose(entry: Entry): Promise<void> {
  (await entry.primed).cache.dispose();
}

/** Names a prompt by what it says: a changed voice file is another prompt. */
function digest({ tokens, embeddings, agentAcoustic, userAcoustic }: PromptColumns): string {
  const hash = createHash('sha256');
  for (const part of [tokens, embeddings, agentAcoustic, userAcoustic]) {
    if (part) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    hash.update('|');
  }
  return hash.digest('hex');
}
