import type {
  Capacity,
  ErrorMessage,
  HoldManner,
  HoldReason,
  Identified,
  ModelStatus,
  PersonaChanged,
  PersonaEntry,
  PersonaListed,
  PersonaProblem,
  PersonaRejected,
  SceneFigures,
  ServerMessage,
  StateValue,
  StatsEvent,
  TranscriptLine,
  VoiceEntry,
} from '../../../sidecar/wire';
import { createContext, loadWorklet, resumeOnGesture } from './audio';
import { askForMicrophone } from './capture/capture';
import { Emitter } from './emitter';
import { VoiceError } from './errors';
import { Link, type Answer, type ConnectionState, type Request } from './link';
import { Microphone, type MicrophoneOptions } from './microphone';
import { Npc, type AttachOptions } from './npc';
import { endpoint } from './endpoint';
import { StandingOrders } from './standing-orders';

export interface ConnectOptions {
  /** Who calls, for logs and the studio: `my-game/1.2`. */
  client: string;
  /** The sidecar's address, as it prints it (http or ws; a token in its fragment is used). Default: this page's own. */
  url?: string;
  /** The sidecar's per-launch token. */
  token?: string;
  /** Your game's context; default: one of its own at the device's rate. */
  audioContext?: AudioContext;
  /** Where `worklet.js` is served, for pages whose content security policy forbids `blob:` scripts. */
  workletUrl?: string | URL;
  /** Milliseconds to wait for an answer; default 10 000. */
  requestTimeoutMs?: number;
  /** Milliseconds before the first retry of a dropped connection; default 250, doubled up to 8 s. */
  retryMs?: number;
}

/** Messages about other connections' scenes, which came because of `watch`. */
export type WatchedMessage = Extract<ServerMessage, { of?: string }> & { of: string };

export interface NpcVoiceEvents {
  /** The connection came, went or is being tried again. */
  connection: ConnectionState;
  /** Something failed that nobody waits for. */
  error: VoiceError;
  /** The browser lets the page play (true), or waits for a click (false). */
  audible: boolean;
  personaChanged: PersonaChanged;
  personaRejected: PersonaRejected;
  personaListed: PersonaListed;
  stats: StatsEvent;
  watched: WatchedMessage;
}

/** A persona file as read for editing. */
export interface PersonaText {
  yaml: string;
  /** Of the bytes on disk: goes with `writePersona`, so that nobody's change is overwritten. */
  hash: string;
}

/**
 * A connection to the sidecar and the scene it hosts. It comes back by itself when dropped, with everything that
 * was attached, opened, held and set.
 *
 * Every method that asks the sidecar rejects with a VoiceError: its code, or `closed`, `timeout`.
 */
export class NpcVoice extends Emitter<NpcVoiceEvents> {
  readonly #options: ConnectOptions;
  readonly #link: Link;
  readonly #npcs = new Map<string, Npc>();
  readonly #microphones = new Map<string, Microphone>();
  readonly #orders = new StandingOrders();
  #identified: Identified | undefined;
  #context: AudioContext | undefined;
  #stopWaiting: (() => void) | undefined;
  /** Settled when everything is there again after a reconnection. */
  #back: Promise<void> = Promise.resolve();

  /** Connects and identifies. Rejects with `unreachable`, `unauthorized`, `version` or `timeout`. */
  static async connect(options: ConnectOptions): Promise<NpcVoice> {
    const voice = new NpcVoice(options);
    voice.#identified = await voice.#link.open();
    return voice;
  }

  private constructor(options: ConnectOptions) {
    super();
    this.#options = options;
    const { url, token } = endpoint(options, globalThis.location?.href);
    this.#link = new Link({
      url,
      client: options.client,
      ...(token === undefined ? {} : { token }),
      ...(options.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: options.requestTimeoutMs }),
      ...(options.retryMs === undefined ? {} : { retryMs: options.retryMs }),
    });
    this.#link.on('message', (message) => this.#accept(message));
    this.#link.on('state', (state) => this.emit('connection', state));
    this.#link.on('reopened', (identified) => {
      this.#identified = identified;
      this.#back = this.#comeBack();
    });
  }

  readonly #onAudible = (): void => this.emit('audible', this.#context?.state === 'running');

  get connection(): ConnectionState {
    return this.#link.state;
  }
  get model(): ModelStatus {
    return this.#identified!.model;
  }
  get capacity(): Capacity {
    return this.#identified!.capacity;
  }
  get personas(): readonly PersonaEntry[] {
    return this.#identified!.personas;
  }
  get voices(): readonly VoiceEntry[] {
    return this.#identified!.voices;
  }
  get npcs(): ReadonlyMap<string, Npc> {
    return this.#npcs;
  }
  get microphones(): ReadonlyMap<string, Microphone> {
    return this.#microphones;
  }
  /** Microphone packets dropped because the connection was backed up. */
  get droppedPackets(): number {
    return this.#link.droppedPackets;
  }

  /** The context everything plays in; made at its first use. */
  get audioContext(): AudioContext {
    if (!this.#context) {
      const context = this.#options.audioContext ?? createContext();
      // Not `onstatechange`, which may be the game's.
      context.addEventListener('statechange', this.#onAudible);
      if (context.state !== 'running') this.#stopWaiting = resumeOnGesture(context);
      this.#context = context;
    }
    return this.#context;
  }

  /** Starts sound; call it from a click or key handler. The library tries by itself at the page's next one. */
  resume(): Promise<void> {
    return this.audioContext.resume();
  }

  /** Plays through another output device, where the browser can. @throws VoiceError `unsupported` */
  async setOutputDevice(deviceId: string): Promise<void> {
    const context = this.audioContext as AudioContext & { setSinkId?(id: string): Promise<void> };
    if (!context.setSinkId) {
      throw new VoiceError('unsupported', 'This browser cannot choose the output device.', {
        hint: "Choose it in the system's sound settings.",
      });
    }
    await context.setSinkId(deviceId);
  }

  /** Brings a character into the scene. */
  async attach(npc: string, options: AttachOptions = {}): Promise<Npc> {
    if (this.#npcs.has(npc))
      throw new VoiceError('npc_exists', `${npc} is attached already.`, { hint: 'Detach it first.' });
    const context = this.audioContext;
    await loadWorklet(context, this.#options.workletUrl);
    const made = new Npc(npc, options, context, {
      request: (request) => this.#order(request),
      played: (id, n, s) => this.#link.stream({ t: 'played', npc: id, n, ...(s === undefined ? {} : { s }) }),
      detached: (id) => this.#npcs.delete(id),
    });
    // Known before it is asked for: its first frames may come with the answer.
    this.#npcs.set(npc, made);
    try {
      await this.#attach(made, options.greet);
      return made;
    } catch (error) {
      made.end();
      throw error;
    }
  }

  /**
   * Asks for a microphone and opens it in the scene. Call it from a click: browsers ask the player.
   * @throws VoiceError `mic_refused`, `mic_missing`, `mic_busy`, `insecure_page`
   */
  async openMicrophone(options: MicrophoneOptions = {}): Promise<Microphone> {
    const id = options.id ?? 'player';
    if (this.#microphones.has(id))
      throw new VoiceError('mic_exists', `Microphone ${id} is open already.`, { hint: 'Close it first.' });
    const context = this.audioContext;
    void context.resume();
    const stream = options.stream ?? (await askForMicrophone(options));
    await loadWorklet(context, this.#options.workletUrl);
    let open = false;
    const microphone = new Microphone(options, stream, context, {
      request: (request) => this.#order(request),
      packet: (mic, n, pcm) => open && this.#link.stream({ t: 'mic', mic, n, pcm }),
      closed: (mic) => this.#microphones.delete(mic),
    });
    this.#microphones.set(id, microphone);
    try {
      await this.#link.request(microphone.opening);
      microphone.restart();
      open = true;
      return microphone;
    } catch (error) {
      microphone.end();
      throw error;
    }
  }

  /** Holds every NPC, as for a cutscene or a menu. */
  async hold(why: HoldReason, manner: HoldManner = 'finish_word'): Promise<void> {
    await this.#order({ t: 'hold', why, manner });
  }
  async release(why: HoldReason): Promise<void> {
    await this.#order({ t: 'release', why });
  }
  /** Sets game-state variables for every NPC, those to come included. */
  async setState(vars: Record<string, StateValue>): Promise<void> {
    await this.#order({ t: 'set_state', vars });
  }
  /** Every NPC's lines so far, as heard. */
  async transcripts(): Promise<readonly { npc: string; lines: readonly TranscriptLine[] }[]> {
    return (await this.#link.request({ t: 'get_transcript' })).npcs;
  }
  /** The scene's figures, as the sidecar counts them. */
  stats(): Promise<SceneFigures> {
    return this.#link.request({ t: 'get_stats' });
  }
  /** Round trip to the sidecar, milliseconds. */
  async ping(): Promise<number> {
    const began = performance.now();
    await this.#link.request({ t: 'ping' });
    return performance.now() - began;
  }
  /** Watches other connections' scenes, or one of them: they come as `watched` events. */
  async watch(on = true, of?: string): Promise<void> {
    await this.#order({ t: 'watch', on, ...(of === undefined ? {} : { of }) });
  }

  readPersona(persona: string): Promise<PersonaText> {
    return this.#link.request({ t: 'read_persona', persona });
  }
  /** What is wrong with `yaml`, without saving it; empty: nothing. */
  async lintPersona(persona: string, yaml: string): Promise<readonly PersonaProblem[]> {
    return (await this.#link.request({ t: 'lint_persona', persona, yaml })).problems;
  }
  /** Saves. Rejects with `persona_invalid`, or `conflict` where the file is not the one `hash` was read from. */
  writePersona(persona: string, yaml: string, hash?: string): Promise<{ hash: string }> {
    return this.#link.request({ t: 'write_persona', persona, yaml, ...(hash === undefined ? {} : { hash }) });
  }

  /** Tries a dropped connection again at once. */
  reconnect(): void {
    this.#link.retryNow();
  }

  /** Ends the connection, lets go of the microphones and of the nodes; a context of its own is closed. */
  async close(): Promise<void> {
    this.#stopWaiting?.();
    for (const microphone of [...this.#microphones.values()]) microphone.end();
    for (const npc of [...this.#npcs.values()]) npc.end();
    this.#link.close();
    this.#context?.removeEventListener('statechange', this.#onAudible);
    if (this.#context && !this.#options.audioContext) await this.#context.close();
  }

  /** A request whose effect is to outlive the connection. */
  async #order<R extends Request>(request: R): Promise<Answer<R['t']>> {
    await this.#back;
    const answer = await this.#link.request(request);
    this.#orders.note(request);
    return answer;
  }

  async #attach(npc: Npc, greet: boolean | undefined): Promise<void> {
    const { persona, seed } = npc.options;
    const { name } = await this.#link.request({
      t: 'attach',
      npc: npc.id,
      ...(persona === undefined ? {} : { persona }),
      ...(seed === undefined ? {} : { seed }),
      ...(greet === undefined ? {} : { greet }),
    });
    npc.name = name;
  }

  /** The sidecar is there again, and remembers nothing of this page. */
  async #comeBack(): Promise<void> {
    // All asked for at once: a microphone's packets must not overtake its opening.
    await Promise.all([
      ...[...this.#microphones.values()].map((microphone) => {
        microphone.restart();
        return this.#link.request(microphone.opening).catch((error) => this.#gone(error, microphone));
      }),
      ...[...this.#npcs.values()].map((npc) => {
        npc.restart();
        return this.#attach(npc, false).then(
          () => npc.reattached(),
          (error) => this.#gone(error, npc),
        );
      }),
    ]);
    for (const order of [...this.#orders])
      await this.#link.request(order).catch((error: VoiceError) => this.emit('error', error));
  }

  /** What the sidecar will not have back ends here, unless only the connection went again. */
  #gone(error: VoiceError, what: Npc | Microphone): void {
    if (error.code === 'closed') return;
    what.end();
    this.emit('error', error);
  }

  #accept(message: ServerMessage): void {
    if ('of' in message && message.of !== undefined) return this.emit('watched', message as WatchedMessage);
    switch (message.t) {
      case 'frame':
      case 'turn':
      case 'flush':
      case 'transcript':
      case 'held':
        return this.#npcs.get(message.npc)?.accept(message);
      case 'mic_level':
        return this.#microphones.get(message.mic)?.heard(message.level, message.voiced);
      case 'persona_changed':
        return this.emit('personaChanged', message);
      case 'persona_rejected':
        return this.emit('personaRejected', message);
      case 'persona_listed':
        return this.emit('personaListed', message);
      case 'stats':
        return this.emit('stats', message);
      case 'error':
        return this.emit('error', VoiceError.fromMessage(message as ErrorMessage));
    }
  }
}
