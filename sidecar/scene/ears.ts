/** Which NPC listens through which ear: ears part when their hearing does, and merge again once they are alike. */
import type { SoundSource } from '../wire/messages';
import { Ear, type Hearing, type Sound } from './ear';

/** An ear that changed lately keeps to itself this long: a walking player's gains change all the time. */
export const MERGE_AFTER_TICKS = 12;

export class Ears {
  readonly #scene: string;
  readonly #ears = new Map<string, Ear>();
  /** Ears to be shared, by what they hear. */
  readonly #steady = new Map<string, Ear>();
  #made = 0;
  #ticks = 0;

  /** @param scene unique to this scene: several may share one duplex model. */
  constructor(scene: string) {
    this.#scene = scene;
  }

  /** Distinct ears, each computed once a tick. */
  get count(): number {
    return new Set(this.#ears.values()).size;
  }

  /** Somebody listens through an echo guard. */
  get guarded(): boolean {
    for (const ear of this.#ears.values()) if (ear.guard) return true;
    return false;
  }

  of(npc: string): Ear | undefined {
    return this.#ears.get(npc);
  }

  /** An NPC begins to listen: to every microphone and no other NPC. */
  add(npc: string, guard: boolean): void {
    const fresh = new Ear(this.#nextKey(), guard);
    const shape = fresh.shape;
    const ear = this.#steady.get(shape) ?? fresh;
    this.#steady.set(shape, ear);
    this.#seat(npc, ear);
  }

  remove(npc: string): void {
    const ear = this.#ears.get(npc);
    if (!ear) return;
    this.#ears.delete(npc);
    this.#leave(ear);
  }

  /** Changes an NPC's hearing of one source; the gain moves there over one frame. */
  hear(npc: string, source: SoundSource, hearing: Hearing): void {
    const ear = this.#ears.get(npc);
    if (!ear || ear.hears(source, hearing)) return;
    const before = ear.shape;
    const own = ear.listeners === 1 ? ear : ear.fork(this.#nextKey());
    own.hear(source, hearing);
    if (own === ear) this.#unlist(before, ear);
    else this.#seat(npc, own);
  }

  /** Changes whether an NPC listens through the echo guard. */
  guard(npc: string, guard: boolean): void {
    const ear = this.#ears.get(npc);
    if (!ear || ear.guard === guard) return;
    const routes = [...ear.routes];
    this.remove(npc);
    this.add(npc, guard);
    for (const [source, route] of routes) this.hear(npc, source, route.wanted);
  }

  /** A source is gone for good. */
  forget(source: SoundSource): void {
    for (const ear of new Set(this.#ears.values())) {
      if (!ear.routes.has(source)) continue;
      this.#unlist(ear.shape, ear);
      ear.forget(source);
      ear.steady = 0;
    }
  }

  /** One tick: every ear mixes once. */
  mix(mics: ReadonlyMap<SoundSource, Sound>, npcs: ReadonlyMap<SoundSource, Sound>): void {
    for (const [npc, ear] of this.#ears) if (ear.steady === MERGE_AFTER_TICKS) this.#merge(npc, ear);
    this.#ticks++;
    for (const ear of this.#ears.values()) {
      if (ear.mixedIn === this.#ticks) continue;
      ear.mixedIn = this.#ticks;
      ear.mix(mics, npcs);
    }
  }

  #merge(npc: string, ear: Ear): void {
    const shape = ear.shape;
    const shared = this.#steady.get(shape);
    if (!shared) this.#steady.set(shape, ear);
    else if (shared !== ear) this.#seat(npc, shared);
  }

  #seat(npc: string, ear: Ear): void {
    const before = this.#ears.get(npc);
    ear.listeners++;
    this.#ears.set(npc, ear);
    if (before) this.#leave(before);
  }

  #leave(ear: Ear): void {
    ear.listeners--;
    if (ear.listeners === 0) this.#unlist(ear.shape, ear);
  }

  #unlist(shape: string, ear: Ear): void {
    if (this.#steady.get(shape) === ear) this.#steady.delete(shape);
  }

  #nextKey(): string {
    return `${this.#scene}:${this.#made++}`;
  }
}
