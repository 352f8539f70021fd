import type {
  HoldManner,
  HoldReason,
  NpcFrame,
  ReloadSpeed,
  ServerMessage,
  SoundSource,
  StateValue,
  TranscriptLine,
  TurnEvent,
  TurnState,
} from '../../../sidecar/wire';
import { Emitter } from './emitter';
import type { Ask } from './link';
import { Player } from './playback/player';
import type { PlayoutStats } from './playback/playout';
import { Timeline, type MouthWeights } from './playback/timeline';

export interface AttachOptions {
  /** Persona id; default: the NPC's own id. */
  persona?: string;
  /** Speak the greeting; default true. */
  greet?: boolean;
  /** Seed of everything the NPC chooses. */
  seed?: number;
  /**
   * Where the voice goes: settings of a PannerNode made for it, or a node of yours. Absent: straight to the
   * context's destination.
   */
  panner?: PannerOptions | AudioNode;
  /** False leaves `npc.output` unconnected, for engines that take a node: three.js `setNodeSource(npc.output)`. */
  connect?: boolean;
}

/** Overrides of the persona file, in force until detached. Absent fields stay as they are. */
export interface NpcSettings {
  voice?: string;
  patienceMs?: number;
  overlap?: 'yield' | 'finish_word' | 'hold' | 'talk_over';
  /** "mm-hm" a minute of player speech, 0..20. */
  backchannel?: number;
  /** Linear gain, 0..4. */
  gain?: number;
}

/** All but `interrupted`, `playerStarted`, `playerStopped` and `held` come when their sound is heard. */
export interface NpcEvents {
  /** It begins to speak. */
  started: { n: number };
  /** It has stopped after `ms`. */
  stopped: { n: number; ms?: number };
  /** The player cut in; what was buffered is being faded out. */
  interrupted: { n: number };
  backchannelled: { n: number };
  /** It hears somebody speak. */
  playerStarted: { n: number; from?: SoundSource };
  playerStopped: { n: number; from?: SoundSource; ms?: number };
  /** Words now spoken, and the line so far. */
  caption: { text: string; line: string; n: number };
  /** Fifteen viseme weights, each 20 ms while it speaks and once at rest. Valid during the call. */
  mouth: MouthWeights;
  /** A cue of the persona was said. */
  cue: { id: string; n: number };
  /** Each frame as it begins to be heard: its level (RMS, 0..1) and turn state. */
  frame: { n: number; level: number; turn: TurnState };
  held: { on: boolean; why: HoldReason };
  /** A line has ended or was cut: what was to be said, and what was heard of it. */
  transcript: TranscriptLine;
  /** It came back with the connection, its frame count at 0 again. */
  reattached: { npc: string };
  detached: { npc: string };
}

/** What an NPC needs of its connection. */
export interface NpcPort {
  readonly request: Ask;
  played(npc: string, n: number, s?: number): void;
  detached(npc: string): void;
}

/** A character live in this connection's scene. Made by `NpcVoice.attach`. */
export class Npc extends Emitter<NpcEvents> {
  readonly id: string;
  /** Its voice, at the context's rate: a gain node, for volume and for any graph. */
  readonly output: GainNode;
  /** The panner between `output` and the destination, where `attach` made one. */
  readonly panner: PannerNode | undefined;
  /** How it was attached; used again when the connection comes back. */
  readonly options: Readonly<AttachOptions>;
  /** The persona's name. */
  name = '';
  #turn: TurnState = 'idle';
  #level = 0;
  #line = '';
  readonly #port: NpcPort;
  readonly #player: Player;
  readonly #timeline: Timeline;

  constructor(id: string, options: AttachOptions, context: AudioContext, port: NpcPort) {
    super();
    this.id = id;
    this.options = options;
    this.#port = port;
    this.#timeline = new Timeline({
      frame: (frame) => this.#heard(frame),
      mouth: (weights) => this.emit('mouth', weights),
      turn: (event) => this.#turned(event),
    });
    this.#player = new Player(context, {
      heard: (n, s) => {
        this.#timeline.reach(n, s);
        if (s === 1920) port.played(id, n);
      },
      cut: (n, s) => port.played(id, n, s),
    });
    this.output = this.#player.node.context.createGain();
    this.#player.node.connect(this.output);
    this.panner = this.#route(options, context);
  }

  /** What it is doing, as heard. */
  get turn(): TurnState {
    return this.#turn;
  }
  /** RMS of the frame being heard, 0..1. */
  get level(): number {
    return this.#level;
  }
  /** Viseme weights at this moment, 0..1 in the order of VISEMES: for a render loop. The same array each time. */
  get mouth(): MouthWeights {
    return this.#timeline.mouth;
  }
  /** The jitter buffer's figures. */
  get playout(): PlayoutStats & { unheardFrames: number } {
    return { ...this.#player.stats, unheardFrames: this.#player.unheard };
  }

  /** Speaks a scripted line: after what it is saying, or `now` instead of it. */
  async say(text: string, when: 'queue' | 'now' = 'queue'): Promise<void> {
    await this.#port.request({ t: 'say', npc: this.id, text, when });
  }
  /** Makes it stop speaking, as if cut in on. */
  async interrupt(): Promise<void> {
    await this.#port.request({ t: 'interrupt', npc: this.id });
  }
  /** Holds it quiet until released for the same reason. */
  async hold(why: HoldReason = 'other', manner: HoldManner = 'finish_word'): Promise<void> {
    await this.#port.request({ t: 'hold', npc: this.id, why, manner });
  }
  async release(why: HoldReason = 'other'): Promise<void> {
    await this.#port.request({ t: 'release', npc: this.id, why });
  }
  /** A muted NPC is not heard but goes on. */
  async mute(on = true): Promise<void> {
    await this.#port.request({ t: 'mute', npc: this.id, on });
  }
  /** Sets game-state variables for this NPC alone. */
  async setState(vars: Record<string, StateValue>): Promise<void> {
    await this.#port.request({ t: 'set_state', npc: this.id, vars });
  }
  /** How it hears a source: `gain` 0 (not) .. 4, `muffle` 0 (clear) .. 1 (through a wall). */
  async setHearing(from: SoundSource, gain: number, muffle = 0): Promise<void> {
    await this.#port.request({ t: 'set_hearing', npc: this.id, from, gain, muffle });
  }
  /** How the change took hold (`instant`, `quiet`, `reprime`) and what it cost, milliseconds. */
  async configure(settings: NpcSettings): Promise<{ speed: ReloadSpeed; cost: number }> {
    const { patienceMs, ...rest } = settings;
    const patience = patienceMs === undefined ? {} : { patience_ms: patienceMs };
    return this.#port.request({ t: 'configure', npc: this.id, ...rest, ...patience });
  }
  /** Its lines so far, as heard. */
  async transcript(): Promise<readonly TranscriptLine[]> {
    const { npcs } = await this.#port.request({ t: 'get_transcript', npc: this.id });
    return npcs.find(({ npc }) => npc === this.id)?.lines ?? [];
  }
  /** Takes it out of the scene; with `farewell` once that has been said. `detached` comes when it has been heard. */
  async detach(options: { farewell?: boolean } = {}): Promise<void> {
    try {
      await this.#port.request({ t: 'detach', npc: this.id, ...options });
    } finally {
      this.end();
    }
  }

  /** Ends this side: what is buffered is heard, then the nodes go and no more events come. @internal */
  end(): void {
    this.#port.detached(this.id);
    this.#player.end(() => {
      this.output.disconnect();
      this.panner?.disconnect();
      this.emit('detached', { npc: this.id });
    });
  }

  /** Forgets what is buffered: the stream begins again at frame 0. @internal */
  restart(): void {
    this.#player.reset();
    this.#timeline.reset();
    this.#line = '';
  }

  /** @internal */
  reattached(): void {
    this.emit('reattached', { npc: this.id });
  }

  /** Takes what the sidecar says about this NPC. @internal */
  accept(message: ServerMessage): void {
    switch (message.t) {
      case 'frame':
        this.#timeline.addFrame(message);
        return this.#player.push(message.n, message.pcm);
      case 'turn':
        return this.#accept(message);
      case 'flush':
        this.#player.flush(message.n, message.fade);
        return this.#timeline.flush(message.n);
      case 'transcript':
        return this.emit('transcript', message.line);
      case 'held':
        return this.emit('held', { on: message.on, why: message.why });
    }
  }

  #route(options: AttachOptions, context: AudioContext): PannerNode | undefined {
    if (options.connect === false) return undefined;
    const { panner } = options;
    if (panner instanceof AudioNode) {
      this.output.connect(panner);
      return undefined;
    }
    if (!panner) {
      this.output.connect(context.destination);
      return undefined;
    }
    const node = new PannerNode(context, panner);
    this.output.connect(node).connect(context.destination);
    return node;
  }

  #accept(event: TurnEvent): void {
    // The player's turns and a cut are now; what the NPC does is heard when its frame is.
    if (event.ev === 'player_started' || event.ev === 'player_stopped' || event.ev === 'npc_interrupted') {
      this.#turned(event);
    } else this.#timeline.addTurn(event);
  }

  #turned({ ev, n, from, ms }: TurnEvent): void {
    const source = from === undefined ? {} : { from };
    const lasted = ms === undefined ? {} : { ms };
    switch (ev) {
      case 'npc_started':
        this.#line = '';
        return this.emit('started', { n });
      case 'npc_stopped':
        return this.emit('stopped', { n, ...lasted });
      case 'npc_interrupted':
        return this.emit('interrupted', { n });
      case 'npc_backchannelled':
        return this.emit('backchannelled', { n });
      case 'player_started':
        return this.emit('playerStarted', { n, ...source });
      case 'player_stopped':
        return this.emit('playerStopped', { n, ...source, ...lasted });
    }
  }

  #heard(frame: NpcFrame): void {
    this.#turn = frame.turn;
    this.#level = frame.level;
    this.emit('frame', { n: frame.n, level: frame.level, turn: frame.turn });
    if (frame.text) {
      this.#line += frame.text;
      this.emit('caption', { text: frame.text, line: this.#line.trimStart(), n: frame.n });
    }
    for (const id of frame.cues ?? []) this.emit('cue', { id, n: frame.n });
  }
}
