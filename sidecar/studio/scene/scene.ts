/** A scene as the studio shows it: its own, or a game's that it watches. */
import type { SceneFigures, TurnState } from '../../wire/messages';
import { VISEMES } from '../../wire/messages';
import { Emitter } from '../../../plugins/web/src/emitter';
import { Conversation } from './conversation';

export interface Actor {
  /** Unique in its scene. */
  id: string;
  persona: string;
  name: string;
  /** In the scene, rather than in the wings. */
  live: boolean;
  turn: TurnState;
  /** RMS, 0..1. */
  level: number;
  /** Viseme weights, 0..1, in the order of VISEMES. */
  mouth: Float32Array;
  held: boolean;
  muted: boolean;
}
export interface PlayerMic {
  id: string;
  level: number;
  voiced: boolean;
  muted: boolean;
}

export interface SceneEvents {
  /** The cast, or what is true of one of them (not level and mouth: those are read each animation frame). */
  cast: void;
  figures: void;
}

/** Values of a figure over time, newest last. */
export class Series {
  readonly values: number[] = [];
  readonly #kept: number;
  constructor(kept: number) {
    this.#kept = kept;
  }
  push(value: number): void {
    this.values.push(value);
    if (this.values.length > this.#kept) this.values.shift();
  }
  get last(): number | undefined {
    return this.values[this.values.length - 1];
  }
}

export abstract class Scene extends Emitter<SceneEvents> {
  readonly conversation = new Conversation();
  readonly actors = new Map<string, Actor>();
  readonly mics = new Map<string, PlayerMic>();
  /** Time of a tick, ms: the slowest in a hundred of the last ten seconds, once a second. */
  readonly tick = new Series(60);
  /** Player's last sound to the NPC's first, ms. */
  readonly replies = new Series(20);
  figures: SceneFigures | undefined;
  #lastVoiced = 0;

  abstract readonly title: string;
  /** True: the studio talks in it. */
  abstract readonly own: boolean;

  protected actor(id: string, persona: string, name: string): Actor {
    let actor = this.actors.get(id);
    if (!actor) {
      const mouth = new Float32Array(VISEMES.length);
      mouth[0] = 1;
      actor = { id, persona, name, live: false, turn: 'idle', level: 0, mouth, held: false, muted: false };
      this.actors.set(id, actor);
    }
    actor.persona = persona;
    actor.name = name;
    return actor;
  }

  protected tookStats(figures: SceneFigures): void {
    this.figures = figures;
    this.tick.push(figures.tick_p99);
    this.emit('figures', undefined);
  }

  protected heardPlayer(id: string, level: number, voiced: boolean): void {
    const mic = this.mics.get(id) ?? { id, level: 0, voiced: false, muted: false };
    mic.level = level;
    mic.voiced = voiced;
    this.mics.set(id, mic);
    if (voiced) this.#lastVoiced = performance.now();
    this.conversation.playerLevel(level);
  }

  /** An NPC begins to be heard: how long after the player's last sound, if it answers one. */
  protected npcStarted(actor: Actor, answers: boolean): void {
    this.conversation.npcStarted(actor.id);
    const after = performance.now() - this.#lastVoiced;
    if (answers && this.#lastVoiced > 0 && after < 10_000) {
      this.replies.push(after);
      this.#lastVoiced = 0;
      this.emit('figures', undefined);
    }
  }
}
