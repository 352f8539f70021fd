/** Who hears whom, and how well: from where they stand, what stands between, and how far the persona hears. */
import { distance, isWallBetween } from './room.js';

/** Metres within which a voice is as loud as it gets. */
const NEAR = 1.5;
/** How far two of the cast overhear each other, at most. */
const OVERHEARD = 6;
const THROUGH_WALL = 0.8;
const EVERY_MS = 200;

/** Linear gain: 1 near by, 0 at `range` metres. */
export const gainAt = (metres, range) => {
  const gain = (range - metres) / Math.max(range - NEAR, 0.1);
  return Math.round(Math.min(1, Math.max(0, gain)) * 50) / 50;
};

/** How far a persona hears: the one number the game wants of its file. The schema's default is 12. */
export const rangeIn = (yaml) => Number(/^[^#\n]*\brange_m:\s*([\d.]+)/m.exec(yaml)?.[1] ?? 12);

export class Hearing {
  /** What each NPC was told last: `aldric mic:player` to `{gain, muffle}`. */
  told = new Map();
  #at = -Infinity;

  /** Tells the sidecar what has changed since the last time. Call it each frame. */
  update(now, people, player, { microphone, overhearing }) {
    if (now - this.#at < EVERY_MS) return;
    this.#at = now;
    for (const person of people) {
      if (!person.npc) continue;
      if (microphone) this.#tell(person, player, 'mic:player', person.range);
      for (const other of people) {
        if (other === person || !other.npc) continue;
        this.#tell(person, other, `npc:${other.id}`, overhearing ? Math.min(person.range, OVERHEARD) : 0);
      }
    }
  }

  /** How loud the player is to this person, 0..1: what the ear over their head shows. */
  ofPlayer(id) {
    return this.told.get(`${id} mic:player`)?.gain ?? 0;
  }

  forget() {
    this.told.clear();
  }

  #tell(person, source, from, range) {
    const key = `${person.id} ${from}`;
    const gain = range > 0 ? gainAt(distance(person, source), range) : 0;
    const muffle = isWallBetween(person, source) ? THROUGH_WALL : 0;
    // Until told otherwise, an NPC hears microphones and nobody else.
    const before = this.told.get(key) ?? { gain: from.startsWith('mic') ? 1 : 0, muffle: 0 };
    if (before.gain === gain && (before.muffle === muffle || gain === 0)) return;
    this.told.set(key, { gain, muffle });
    // Not told after all, as when the connection has just dropped: the next round tries again.
    person.npc.setHearing(from, gain, muffle).catch(() => this.told.delete(key));
  }
}
