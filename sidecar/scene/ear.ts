/**
 * What each NPC hears: a mix of microphones and of other NPCs' last frames, each at its own gain and muffling. NPCs
 * that hear the same share one ear, so that a cast of 64 around one player costs one mix and one voice detector.
 */
import { FRAME_SAMPLES, Muffle, mixInto, softLimit } from '../audio';
import type { SoundSource } from '../wire/messages';

/** Something that sounds; the scene's microphones and NPCs. */
export interface Sound {
  /** This tick's frame: 1920 samples, or null for silence. */
  readonly pcm: Float32Array | null;
  /** The same for ears with an echo guard: what is taken for the NPCs' own voices is turned down. */
  readonly guarded: Float32Array | null;
  /** Level it lately had, RMS 0..1, for telling who speaks. */
  readonly recentLevel: number;
}

/** How one source comes through to one listener. */
export interface Hearing {
  /** Linear, 0 (not heard) .. 4. */
  gain: number;
  /** 0 clear .. 1 through a wall. */
  muffle: number;
}

const isMic = (source: SoundSource): boolean => source.startsWith('mic:');
const defaultGain = (source: SoundSource): number => (isMic(source) ? 1 : 0);

/** One source's way into one ear. */
class Route {
  readonly wanted: Hearing;
  /** Gain at the end of the last frame. */
  #gain: number;
  #muffle: Muffle | null = null;
  #filtered: Float32Array | null = null;
  #ringing = false;

  constructor(from: number, wanted: Hearing) {
    this.#gain = from;
    this.wanted = { ...wanted };
  }

  get gain(): number {
    return this.#gain;
  }
  get isPlain(): boolean {
    return this.#muffle === null && this.#gain === 1 && this.wanted.gain === 1 && this.wanted.muffle === 0;
  }

  /** Adds one frame; a changed gain is reached in a straight line over it. True: it may have sounded. */
  addTo(out: Float32Array, pcm: Float32Array | null): boolean {
    const from = this.#gain;
    this.#gain = this.wanted.gain;
    if (from === 0 && this.wanted.gain === 0) return false;
    const sound = this.#muffled(pcm);
    if (!sound) return false;
    mixInto(out, sound, this.wanted.gain, from);
    return true;
  }

  #muffled(pcm: Float32Array | null): Float32Array | null {
    if (this.wanted.muffle > 0) this.#muffle ??= new Muffle();
    if (!this.#muffle) return pcm;
    this.#muffle.set(this.wanted.muffle);
    // One frame past its end a sound still rings in the filter.
    if (!pcm && !this.#ringing) return null;
    this.#ringing = pcm !== null;
    this.#filtered ??= new Float32Array(FRAME_SAMPLES);
    if (pcm) this.#filtered.set(pcm);
    else this.#filtered.fill(0);
    this.#muffle.process(this.#filtered);
    return this.#filtered;
  }
}

export class Ear {
  /** Names it to the duplex model; never used again for another ear. */
  readonly key: string;
  readonly guard: boolean;
  readonly routes = new Map<SoundSource, Route>();
  /** NPCs that listen through it. */
  listeners = 0;
  /** Ticks since its hearing last changed. */
  steady = 0;
  /** Number of the tick it was last mixed in. */
  mixedIn = 0;
  /** This tick's frame; null: silence. Valid until the next tick. */
  pcm: Float32Array | null = null;
  /** The source that was loudest here lately. */
  loudest: SoundSource | undefined;
  readonly #mixed = new Float32Array(FRAME_SAMPLES);

  constructor(key: string, guard: boolean) {
    this.key = key;
    this.guard = guard;
  }

  /** A copy that goes on from where this one is. */
  fork(key: string): Ear {
    const copy = new Ear(key, this.guard);
    for (const [source, route] of this.routes) copy.routes.set(source, new Route(route.gain, route.wanted));
    return copy;
  }

  hears(source: SoundSource, { gain, muffle }: Hearing): boolean {
    const now = this.routes.get(source)?.wanted ?? { gain: defaultGain(source), muffle: 0 };
    return now.gain === gain && now.muffle === muffle;
  }

  hear(source: SoundSource, hearing: Hearing): void {
    this.steady = 0;
    const route = this.routes.get(source);
    if (route) Object.assign(route.wanted, hearing);
    else this.routes.set(source, new Route(defaultGain(source), hearing));
  }

  forget(source: SoundSource): void {
    this.routes.delete(source);
  }

  /** Equal for ears that hear the same once they are steady. */
  get shape(): string {
    const parts = [...this.routes]
      .filter(
        ([source, { wanted }]) =>
          wanted.gain !== defaultGain(source) || (wanted.gain > 0 && wanted.muffle > 0),
      )
      .map(([source, { wanted }]) => `${source} ${wanted.gain} ${wanted.gain > 0 ? wanted.muffle : 0}`);
    return `${this.guard ? 'guarded' : 'open'}|${parts.sort().join('|')}`;
  }

  mix(mics: ReadonlyMap<SoundSource, Sound>, npcs: ReadonlyMap<SoundSource, Sound>): void {
    this.steady++;
    this.#findLoudest(mics, npcs);
    const only = this.#onlySound(mics, npcs);
    if (only !== undefined) {
      this.pcm = only;
      return;
    }
    const out = this.#mixed.fill(0);
    let sounds = false;
    for (const [source, mic] of mics) {
      const pcm = this.guard ? mic.guarded : mic.pcm;
      const route = this.routes.get(source);
      if (route) sounds = route.addTo(out, pcm) || sounds;
      else if (pcm) {
        mixInto(out, pcm, 1);
        sounds = true;
      }
    }
    for (const [source, route] of this.routes) {
      const npc = npcs.get(source);
      if (npc) sounds = route.addTo(out, npc.pcm) || sounds;
    }
    if (sounds) softLimit(out);
    this.pcm = sounds ? out : null;
  }

  /** The usual case, without a copy: one microphone as it is, and nothing else. */
  #onlySound(
    mics: ReadonlyMap<SoundSource, Sound>,
    npcs: ReadonlyMap<SoundSource, Sound>,
  ): Float32Array | null | undefined {
    if (mics.size > 1) return undefined;
    for (const [source, route] of this.routes)
      if (npcs.has(source) ? route.gain > 0 || route.wanted.gain > 0 : !route.isPlain) return undefined;
    for (const mic of mics.values()) return this.guard ? mic.guarded : mic.pcm;
    return null;
  }

  #findLoudest(mics: ReadonlyMap<SoundSource, Sound>, npcs: ReadonlyMap<SoundSource, Sound>): void {
    let most = 0;
    this.loudest = undefined;
    for (const [source, mic] of mics) {
      const level = mic.recentLevel * (this.routes.get(source)?.wanted.gain ?? 1);
      if (level <= most) continue;
      most = level;
      this.loudest = source;
    }
    for (const [source, route] of this.routes) {
      const level = (npcs.get(source)?.recentLevel ?? 0) * route.wanted.gain;
      if (level <= most) continue;
      most = level;
      this.loudest = source;
    }
  }
}
