/** A running game's scene, as its sidecar relays it: words, mouths and levels, without the sound. */
import type { WatchedMessage } from '../../../plugins/web/src';
import { MOUTH_STEPS, VISEMES, type WatchedScene as SceneMessage } from '../../wire/messages';
import { Scene, type Actor } from './scene';

export class WatchedScene extends Scene {
  readonly own = false;
  readonly id: string;
  title: string;

  constructor(message: SceneMessage) {
    super();
    this.id = message.of;
    this.title = message.client;
    this.#cast(message);
  }

  take(message: WatchedMessage): void {
    const { conversation } = this;
    switch (message.t) {
      case 'scene':
        return this.#cast(message);
      case 'stats':
        return this.tookStats(message);
      case 'mic_level':
        return this.heardPlayer(message.mic, message.level, message.voiced);
      case 'frame': {
        const actor = this.actors.get(message.npc);
        if (!actor) return;
        this.#frame(actor, message.level, message.mouth);
        if (actor.turn !== message.turn) {
          actor.turn = message.turn;
          this.emit('cast', undefined);
        }
        if (message.text) conversation.words(actor.id, message.text, message.turn === 'backchannel');
        for (const cue of message.cues ?? []) conversation.note(`Cue \u201c${cue}\u201d`);
        return;
      }
      case 'turn': {
        const actor = this.actors.get(message.npc);
        if (!actor) return;
        if (message.ev === 'player_started') conversation.playerStarted();
        else if (message.ev === 'player_stopped') conversation.playerStopped(message.ms);
        else if (message.ev === 'npc_started') this.npcStarted(actor, true);
        else if (message.ev !== 'npc_backchannelled') conversation.npcStopped(actor.id);
        return;
      }
      case 'transcript':
        return conversation.transcript(message.npc, message.line);
    }
  }

  #cast({ npcs, mics, client }: SceneMessage): void {
    this.title = client;
    const there = new Set(npcs.map(({ npc }) => npc));
    for (const id of this.actors.keys()) if (!there.has(id)) this.actors.delete(id);
    for (const { npc, persona, name, held, muted } of npcs)
      Object.assign(this.actor(npc, persona, name), { live: true, held, muted });
    for (const id of this.mics.keys()) if (!mics.some(({ mic }) => mic === id)) this.mics.delete(id);
    for (const { mic, muted } of mics) {
      const known = this.mics.get(mic) ?? { id: mic, level: 0, voiced: false, muted };
      known.muted = muted;
      this.mics.set(mic, known);
    }
    this.emit('cast', undefined);
  }

  /** Watchers get a frame's four mouth shapes at once and show their mean: the face smooths it anyway. */
  #frame(actor: Actor, level: number, mouth: Uint8Array | undefined): void {
    actor.level = level;
    actor.mouth.fill(0);
    if (!mouth) actor.mouth[0] = 1;
    else
      for (let i = 0; i < mouth.length; i++) {
        const v = i % VISEMES.length;
        actor.mouth[v] = actor.mouth[v]! + mouth[i]! / (255 * MOUTH_STEPS);
      }
  }
}
