/** All that this game asks of NPC Voice. Start reading here. */
import { NpcVoice } from '@npc-voice/web';
import { rangeIn } from './hearing.js';
import { Speaker } from './sound.js';

/** Asks this page's own server where the sidecar is; it starts one when none runs. */
async function askForSidecar() {
  const answer = await fetch('/sidecar', { method: 'POST' }).catch(() => undefined);
  if (!answer) throw problem('The server of this page is gone.', 'Run: node samples/web/serve.mjs');
  const body = await answer.json();
  if (!answer.ok) throw problem(body.message, body.hint);
  return body;
}
const problem = (message, hint) => Object.assign(new Error(message), { hint });

export class Voices {
  microphone;
  #context;
  #people;
  #game;
  #voice;
  #token;
  #held = new Set();
  #state = {};
  #unbind;
  #returning = false;

  /** `game` is told: status(state), problem(error), caption(person, line), hush(person), cue(person, id), returned(). */
  constructor(context, people, game) {
    this.#context = context;
    this.#people = people;
    this.#game = game;
  }

  /** Connects and brings the cast in. Rejects with a sentence and a hint. */
  async enter({ greet = true } = {}) {
    const { url, token } = await askForSidecar();
    this.#token = token;
    this.#voice = await NpcVoice.connect({ url, token, client: 'tavern/1.0', audioContext: this.#context });
    this.#voice.on('connection', (state) => this.#onConnection(state));
    this.#voice.on('error', (error) => this.#game.problem(error));
    this.#voice.on('personaChanged', ({ persona }) => void this.#tell(() => this.#readRange(persona)));
    this.#game.status(this.#voice.connection);
    await this.#voice.setState(this.#state);
    for (const why of this.#held) await this.#voice.hold(why);
    // One of them greets who comes in; three at once would be a choir.
    await Promise.all(this.#people.map((person) => this.#attach(person, greet && person.id === 'marta')));
  }

  async #attach(person, greet) {
    await this.#readRange(person.id);
    person.speaker = new Speaker(this.#context);
    const npc = await this.#voice.attach(person.id, { panner: person.speaker.input, greet });
    npc.on('started', () => this.#game.hush(person));
    npc.on('caption', ({ line }) => this.#game.caption(person, line));
    npc.on('stopped', () => this.#game.hush(person));
    npc.on('cue', ({ id }) => this.#game.cue(person, id));
    npc.on('playerStarted', () => person.heard++);
    person.npc = npc;
  }

  /** How far it hears stands in its persona file. Save the file, and it hears farther at once. */
  async #readRange(persona) {
    const person = this.#people.find(({ id }) => id === persona);
    if (person) person.range = rangeIn((await this.#voice.readPersona(persona)).yaml);
  }

  /** Rejects with `mic_refused` and its like; the game goes on without. */
  async openMicrophone(muteButton) {
    this.microphone = await this.#voice.openMicrophone();
    this.#unbind = this.microphone.holdToMute(muteButton);
    this.microphone.on('lost', (error) => this.#game.problem(error));
  }

  /** `why`: menu, focus. Kept, so that a connection that comes later is told too. */
  hold(why, on) {
    if (on) this.#held.add(why);
    else this.#held.delete(why);
    return this.#tell(() => (on ? this.#voice.hold(why) : this.#voice.release(why)));
  }

  setState(vars) {
    Object.assign(this.#state, vars);
    return this.#tell(() => this.#voice.setState(vars));
  }

  get connected() {
    return this.#voice?.connection.status === 'open';
  }

  #tell(request) {
    if (!this.connected) return undefined;
    // What a dropped connection did not hear, `enter` or the library tells the next one.
    return request().catch((error) => error.code !== 'closed' && this.#game.problem(error));
  }

  #onConnection(state) {
    this.#game.status(state);
    // The library brings back what was in force when the connection dropped; what has changed since is told here.
    if (state.status === 'open') {
      for (const why of ['menu', 'focus']) void this.hold(why, this.#held.has(why));
      void this.setState(this.#state);
    }
    // It tries again by itself, with everything attached; but a sidecar started anew has another token.
    if (state.status === 'waiting' || state.why?.code === 'unauthorized') void this.#comeBack();
  }

  async #comeBack() {
    if (this.#returning) return;
    this.#returning = true;
    try {
      const { token } = await askForSidecar();
      if (token === this.#token) return;
      await this.leave();
      await this.enter({ greet: false });
      this.#game.returned();
    } catch (error) {
      this.#game.problem(error);
    } finally {
      this.#returning = false;
    }
  }

  async leave() {
    this.#unbind?.();
    await this.#voice?.close();
    this.microphone = undefined;
    for (const person of this.#people) {
      person.speaker?.disconnect();
      person.npc = person.speaker = undefined;
    }
  }
}
