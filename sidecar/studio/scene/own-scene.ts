/** The studio's own scene: the shipped cast in the wings, and whoever is being talked to. */
import type { Microphone, Npc, NpcVoice } from '../../../plugins/web/src';
import { Scene, Series, type Actor } from './scene';

export class OwnScene extends Scene {
  readonly title = 'Studio';
  readonly own = true;
  readonly voice: NpcVoice;
  /** What waits to be played, ms, four times a second. */
  readonly buffer = new Series(60);
  microphone: Microphone | undefined;
  #devices: { input: string | undefined } = { input: undefined };

  constructor(voice: NpcVoice) {
    super();
    this.voice = voice;
    for (const { id, name } of voice.personas) this.actor(id, id, name);
    voice.on('stats', (figures) => this.tookStats(figures));
    voice.on('personaListed', ({ persona, there, name }) => this.#listed(persona, there, name));
    setInterval(() => this.#sampleBuffer(), 250);
  }

  npc(id: string): Npc | undefined {
    return this.voice.npcs.get(id);
  }

  /** Opens the microphone and brings an actor on. Rejects when the microphone cannot be had; the actor comes anyway. */
  async talkTo(id: string): Promise<void> {
    // The context is made and resumed inside the click, or the browser keeps it silent.
    void this.voice.resume();
    // The microphone first: it drives the tick, and the greeting need not change clocks halfway.
    const [opened] = await Promise.allSettled([this.openMicrophone()]);
    if (!this.npc(id)) await this.#bringOn(id);
    if (opened.status === 'rejected') throw opened.reason;
  }

  async openMicrophone(): Promise<void> {
    if (this.microphone) return;
    const { input } = this.#devices;
    const microphone = await this.voice.openMicrophone(input === undefined ? {} : { deviceId: input });
    this.microphone = microphone;
    const mic = { id: microphone.id, level: 0, voiced: false, muted: false };
    this.mics.set(microphone.id, mic);
    microphone.on('heard', ({ level, voiced }) => this.heardPlayer(microphone.id, level, voiced));
    microphone.on('muted', (muted) => {
      mic.muted = muted;
      this.emit('cast', undefined);
    });
    microphone.on('closed', () => {
      this.microphone = undefined;
      this.mics.delete(microphone.id);
      this.conversation.playerStopped();
      this.emit('cast', undefined);
    });
    this.emit('cast', undefined);
  }

  async closeMicrophone(): Promise<void> {
    await this.microphone?.close();
  }

  async setInput(deviceId: string | undefined): Promise<void> {
    this.#devices.input = deviceId;
    await this.microphone?.setDevice(deviceId);
  }

  /** Sends an actor off, its farewell said; the last one takes the microphone along. */
  async leave(id: string): Promise<void> {
    const others = [...this.voice.npcs.keys()].some((npc) => npc !== id);
    if (!others) await this.closeMicrophone();
    await this.npc(id)?.detach({ farewell: true });
  }

  async #bringOn(id: string): Promise<void> {
    const actor = this.actors.get(id)!;
    const npc = await this.voice.attach(id, { persona: actor.persona });
    actor.live = true;
    actor.name = npc.name;
    actor.mouth = npc.mouth;
    this.#follow(npc, actor);
    this.emit('cast', undefined);
  }

  #follow(npc: Npc, actor: Actor): void {
    const { conversation } = this;
    const cast = (): void => this.emit('cast', undefined);
    npc.on('frame', ({ level, turn }) => {
      actor.level = level;
      if (actor.turn === turn) return;
      actor.turn = turn;
      cast();
    });
    npc.on('caption', ({ text }) => conversation.words(actor.id, text, actor.turn === 'backchannel'));
    npc.on('started', () => this.npcStarted(actor, true));
    npc.on('stopped', () => conversation.npcStopped(actor.id));
    npc.on('interrupted', () => conversation.npcStopped(actor.id));
    npc.on('transcript', (line) => conversation.transcript(actor.id, line));
    npc.on('playerStarted', () => conversation.playerStarted());
    npc.on('playerStopped', ({ ms }) => conversation.playerStopped(ms));
    npc.on('cue', ({ id }) => conversation.note(`Cue \u201c${id}\u201d`));
    npc.on('held', ({ on }) => {
      actor.held = on;
      cast();
    });
    npc.on('detached', () => {
      conversation.npcStopped(actor.id);
      // Already brought on again while the last words of before were being heard.
      if (this.npc(actor.id)) return;
      Object.assign(actor, { live: false, turn: 'idle', level: 0, held: false, muted: false });
      actor.mouth = new Float32Array(actor.mouth.length);
      cast();
    });
  }

  #listed(persona: string, there: boolean, name: string | undefined): void {
    if (there) this.actor(persona, persona, name ?? persona);
    else if (!this.npc(persona)) this.actors.delete(persona);
    this.emit('cast', undefined);
  }

  #sampleBuffer(): void {
    const [npc] = this.voice.npcs.values();
    if (!npc) return;
    this.buffer.push(npc.playout.bufferedMs);
    this.emit('figures', undefined);
  }
}
