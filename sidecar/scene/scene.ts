/** A scene: microphones, NPCs and who hears whom, moved one frame at a time through the duplex model. */
import { FRAME_MS, type AudioFormat } from '../audio';
import type { DuplexModel, SeatInput, SeatOutput, UpdateReceipt } from '../duplex';
import { NpcVoiceError } from '../errors';
import type { HoldManner, HoldReason, SoundSource, StateValue, TranscriptLine } from '../wire/messages';
import { Briefing } from './briefing';
import type { Clock } from './clock';
import { Ears } from './ears';
import { SentVoices } from './echo';
import { Microphones } from './microphones';
import { Npc } from './npc';
import type { BriefOverrides, Cast, CastChange, NpcStatus, ScenePort, SceneSink, SceneStats } from './ports';
import { recast, type Member } from './reload';
import { Ticker } from './tick';
import { Timings } from './timings';

export interface SceneLimits {
  npcs: number;
  mics: number;
  /** Game-state variables, those of one NPC. */
  variables: number;
  /** Lines of one NPC that wait to be said. */
  lines: number;
}
export const SCENE_LIMITS: Readonly<SceneLimits> = { npcs: 64, mics: 8, variables: 256, lines: 32 };

export interface SceneOptions {
  clock: Clock;
  /** Steps of one model must not overlap: scenes that share it share a SharedModel. */
  model: DuplexModel;
  cast: Cast;
  sink: SceneSink;
  limits?: Partial<SceneLimits>;
  /** False: no echo guard, whatever the personas say; for input that cannot hold an echo. */
  echoGuard?: boolean;
}

/** Fade of what a client drops when an NPC is cut in on: short enough to be "at once", long enough not to click. */
const FLUSH_FADE_MS = 40;
/** Ticks that the figures of `stats` look back on: 10 s. */
const STATS_WINDOW = 125;

let scenesMade = 0;

export class Scene implements ScenePort {
  readonly #clock: Clock;
  readonly #model: DuplexModel;
  readonly #cast: Cast;
  readonly #sink: SceneSink;
  readonly #limits: SceneLimits;
  readonly #members = new Map<string, Member>();
  /** NPCs that have a seat, by what others hear them as. */
  readonly #sounds = new Map<SoundSource, Npc>();
  readonly #mics: Microphones;
  readonly #ears = new Ears(`scene${++scenesMade}`);
  readonly #ticker: Ticker;
  /** Variables and holds of the whole scene: what an NPC that comes later starts with. */
  readonly #vars: Record<string, StateValue> = {};
  readonly #holds = new Map<HoldReason, HoldManner>();
  readonly #echoGuard: boolean;
  readonly #sent = new SentVoices();
  readonly #tickMs = new Timings(STATS_WINDOW);
  readonly #modelMs = new Timings(STATS_WINDOW);
  readonly #inputs: SeatInput[] = [];
  readonly #stepped: Npc[] = [];
  /** Seats to be freed once the step that may still use them is over. */
  readonly #vacated: number[] = [];
  #stepping = false;
  #failing = false;
  #failedSteps = 0;
  #deadlineMisses = 0;
  #closed = false;
  readonly #unwatch: () => void;

  constructor({ clock, model, cast, sink, limits, echoGuard = true }: SceneOptions) {
    this.#echoGuard = echoGuard;
    this.#clock = clock;
    this.#model = model;
    this.#cast = cast;
    this.#sink = sink;
    this.#limits = { ...SCENE_LIMITS, ...limits };
    this.#ticker = new Ticker(clock, (due, micDriven) =>
      this.#tick(due, micDriven).catch((error: unknown) => sink.failed(error)),
    );
    this.#mics = new Microphones(clock, this.#ticker, this.#limits.mics);
    this.#unwatch = cast.onChange((change) => {
      this.#recast(change).catch((error: unknown) => sink.failed(error));
    });
  }

  // ------------------------------------------------------------------------------------------ NPCs

  async attach(
    id: string,
    { persona: personaId = id, greet = true, seed }: { persona?: string; greet?: boolean; seed?: number },
  ): Promise<NpcStatus> {
    this.#needOpen();
    if (this.#members.has(id))
      throw new NpcVoiceError('npc_exists', `There is an NPC "${id}" in this scene already.`, {
        hint: 'Detach it first, or attach this one under another id.',
      });
    if (this.#members.size >= this.#limits.npcs)
      throw new NpcVoiceError('too_many', `A scene has at most ${this.#limits.npcs} NPCs.`);
    const persona = this.#cast.persona(personaId);
    const npc = new Npc(id, persona, this.#vars, (line) => this.#sink.transcript(id, line));
    const briefing = new Briefing(npc, this.#cast, this.#model);
    this.#members.set(id, { npc, briefing });
    for (const why of this.#holds.keys()) npc.holds.add(why);
    const began = this.#clock.now();
    let seat: number;
    try {
      seat = await briefing.prime({ seed: seed ?? Math.floor(Math.random() * 2 ** 31), greet });
    } catch (error) {
      if (npc.life.phase === 'priming') this.#members.delete(id);
      throw error;
    }
    if (npc.life.phase !== 'priming') {
      this.#model.unseat(seat);
      throw new NpcVoiceError('unknown_npc', `The NPC "${id}" was detached before it was ready.`);
    }
    npc.goLive(seat, this.#clock.now() - began);
    this.#sounds.set(npc.source, npc);
    this.#ears.add(id, npc.persona.hearing.echo_guard);
    for (const why of npc.holds) this.#model.hold(seat, true, this.#holds.get(why) ?? 'finish_word');
    // What was changed while it was being primed.
    briefing.refresh().catch((error: unknown) => this.#sink.failed(error));
    this.#ticker.start();
    return npc.status;
  }

  async detach(id: string, { farewell = false }: { farewell?: boolean }): Promise<void> {
    const { npc } = this.#member(id);
    if (npc.life.phase === 'live' && farewell && npc.holds.size === 0 && this.#model.farewell(npc.life.seat))
      return npc.leave().done;
    if (npc.life.phase === 'leaving' && farewell) return npc.life.farewell.done;
    this.#remove(npc);
  }

  #remove(npc: Npc): void {
    const { life, seat } = npc;
    npc.life = { phase: 'gone' };
    this.#members.delete(npc.id);
    this.#sounds.delete(npc.source);
    this.#ears.remove(npc.id);
    this.#ears.forget(npc.source);
    for (const other of this.#members.values()) other.npc.forget(npc.source);
    npc.transcript.close(npc.n);
    if (seat !== null) {
      if (this.#stepping) this.#vacated.push(seat);
      else this.#model.unseat(seat);
    }
    if (life.phase === 'leaving') life.farewell.finish();
    this.#restIfEmpty();
  }

  async configure(
    id: string,
    { gain, ...overrides }: BriefOverrides & { gain?: number },
  ): Promise<UpdateReceipt> {
    const { npc, briefing } = this.#member(id);
    if (overrides.voice !== undefined) this.#cast.voice(overrides.voice);
    const before = npc.overrides;
    const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
    const after = { ...before, ...Object.fromEntries(given) };
    if (given.length > 0) npc.overrides = after;
    try {
      const receipt = await briefing.refresh();
      if (gain !== undefined) npc.gain = gain;
      return receipt;
    } catch (error) {
      if (npc.overrides === after) npc.overrides = before;
      throw error;
    }
  }

  say(id: string, text: string, when: 'queue' | 'now'): void {
    const seat = this.#member(id).npc.needSeat();
    if (this.#model.linesWaiting(seat) >= this.#limits.lines)
      throw new NpcVoiceError(
        'too_many',
        `The NPC "${id}" has ${this.#limits.lines} lines waiting to be said.`,
        {
          hint: 'Send more as npc_started tells that they are being said; a held NPC says none.',
        },
      );
    this.#model.say(seat, text, when);
  }

  interrupt(id: string): void {
    this.#model.interrupt(this.#member(id).npc.needSeat());
  }

  hold(id: string | undefined, why: HoldReason, manner: HoldManner): void {
    const held = id === undefined ? [...this.#members.values()] : [this.#member(id)];
    if (id === undefined) this.#holds.set(why, manner);
    for (const { npc } of held) {
      if (npc.holds.has(why)) continue;
      npc.holds.add(why);
      if (npc.seat !== null) this.#model.hold(npc.seat, true, manner);
      this.#sink.held(npc.id, true, why);
    }
  }

  release(id: string | undefined, why: HoldReason): void {
    const released = id === undefined ? [...this.#members.values()] : [this.#member(id)];
    if (id === undefined) this.#holds.delete(why);
    for (const { npc } of released) {
      if (!npc.holds.delete(why)) continue;
      if (npc.holds.size === 0 && npc.seat !== null) this.#model.hold(npc.seat, false, 'finish_word');
      this.#sink.held(npc.id, false, why);
    }
  }

  muteNpc(id: string, on: boolean): void {
    this.#member(id).npc.muted = on;
  }

  async setState(vars: Record<string, StateValue>, id?: string): Promise<readonly string[]> {
    const told = id === undefined ? [...this.#members.values()] : [this.#member(id)];
    const stores = told.map(({ npc }) => npc.vars);
    if (id === undefined) stores.push(this.#vars);
    for (const store of stores)
      if (Object.keys({ ...store, ...vars }).length > this.#limits.variables)
        throw new NpcVoiceError('too_many', `A scene has at most ${this.#limits.variables} state variables.`);
    for (const store of stores) Object.assign(store, vars);
    const answers = await Promise.allSettled(told.map(({ briefing }) => briefing.refresh()));
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
    if (id === undefined) return [];
    const { state } = told[0]!.npc.persona;
    return Object.keys(vars).filter((name) => !Object.hasOwn(state, name));
  }

  setHearing(id: string, from: SoundSource, gain: number, muffle: number): void {
    const { npc } = this.#member(id);
    if (from.startsWith('mic:')) this.#mics.get(from.slice('mic:'.length));
    else if (from === npc.source)
      throw new NpcVoiceError('bad_field', `The NPC "${id}" cannot be made to hear itself.`);
    else this.#member(from.slice('npc:'.length));
    npc.needSeat();
    this.#ears.hear(id, from, { gain, muffle });
  }

  #member(id: string): Member {
    const member = this.#members.get(id);
    if (!member)
      throw new NpcVoiceError('unknown_npc', `There is no NPC "${id}" in this scene.`, {
        hint: 'Attach it first.',
      });
    return member;
  }

  // ------------------------------------------------------------------------------------------ microphones

  openMic(id: string, format: AudioFormat, { primary = false }: { primary?: boolean }): void {
    this.#needOpen();
    this.#mics.open(id, format, primary);
    this.#ticker.start();
  }

  closeMic(id: string): void {
    this.#mics.close(id);
    this.#ears.forget(`mic:${id}`);
    this.#restIfEmpty();
  }

  micPacket(id: string, n: number, bytes: Uint8Array): void {
    this.#mics.packet(id, n, bytes);
  }

  muteMic(id: string, on: boolean): void {
    this.#mics.get(id).muted = on;
  }

  // ------------------------------------------------------------------------------------------ the tick

  async #tick(due: number, micDriven: boolean): Promise<void> {
    this.#mics.next(this.#echoGuard && this.#ears.guarded ? this.#sent : null);
    this.#ears.mix(this.#mics.sounds, this.#sounds);
    this.#gatherInputs();
    const asked = this.#clock.now();
    this.#stepping = true;
    const outputs = await this.#step();
    this.#stepping = false;
    const modelMs = this.#clock.now() - asked;
    if (this.#vacated.length > 0) for (const seat of this.#vacated.splice(0)) this.#model.unseat(seat);
    if (this.#closed) return;
    this.#emit(outputs);
    const done = this.#clock.now();
    this.#modelMs.add(modelMs);
    this.#tickMs.add(done - due);
    if (done - due > FRAME_MS) this.#deadlineMisses++;
    this.#sink.ticked?.({ due, modelMs, done, micDriven });
  }

  #gatherInputs(): void {
    this.#inputs.length = 0;
    this.#stepped.length = 0;
    for (const npc of this.#sounds.values()) {
      const ear = this.#ears.of(npc.id)!;
      for (const [source, { wanted }] of ear.routes) {
        const other = wanted.gain > 0 ? this.#sounds.get(source) : undefined;
        if (other) npc.overhear(other);
      }
      npc.input.ear = ear.key;
      npc.input.pcm = ear.pcm;
      this.#inputs.push(npc.input);
      this.#stepped.push(npc);
    }
  }

  /** Null: the model failed. It is told of once, until it works again. */
  async #step(): Promise<readonly SeatOutput[] | null> {
    if (this.#inputs.length === 0) return [];
    try {
      const outputs = await this.#model.step(this.#inputs);
      this.#failing = false;
      return outputs;
    } catch (error) {
      this.#failedSteps++;
      if (!this.#failing && !this.#closed) this.#sink.failed(error);
      this.#failing = true;
      return null;
    }
  }

  /** Every NPC's turn events, then its flushes, then the frames: a client never plays what it is about to drop. */
  #emit(outputs: readonly SeatOutput[] | null): void {
    const npcs = this.#stepped;
    for (let i = 0; i < npcs.length; i++) {
      const npc = npcs[i]!;
      if (npc.life.phase === 'gone') continue;
      const output = outputs?.[i] ?? null;
      const from = this.#ears.of(npc.id)!.loudest;
      npc.take(output, from);
      for (const event of output?.events ?? []) {
        const ms = 'ms' in event ? { ms: event.ms } : {};
        const heard = event.kind.startsWith('player_') && from ? { from } : {};
        this.#sink.turn({ ev: event.kind, npc: npc.id, n: npc.n, ...heard, ...ms });
      }
    }
    for (let i = 0; i < npcs.length; i++)
      for (const event of outputs?.[i]?.events ?? [])
        if (event.kind === 'npc_interrupted' && event.flush && npcs[i]!.life.phase !== 'gone')
          this.#sink.flush(npcs[i]!.id, npcs[i]!.n, FLUSH_FADE_MS);
    for (const npc of npcs) {
      if (npc.life.phase === 'gone') continue;
      this.#sink.frame(npc.frame);
      if (npc.frame.pcm) this.#sent.add(npc.frame.pcm);
    }
    this.#sent.advance();
    for (const npc of npcs) if (npc.life.phase !== 'gone' && npc.emitted()) this.#remove(npc);
    for (const [source, mic] of this.#mics.sounds)
      this.#sink.micLevel(mic.id, mic.level, this.#isVoiced(source));
  }

  #isVoiced(mic: SoundSource): boolean {
    for (const npc of this.#stepped)
      if (npc.heardSpeech && this.#ears.of(npc.id)?.loudest === mic) return true;
    return false;
  }

  /** Resolves when no tick is under way. */
  settled(): Promise<void> {
    return this.#ticker.settled();
  }

  #restIfEmpty(): void {
    if (this.#members.size === 0 && this.#mics.sounds.size === 0) this.#ticker.stop();
  }

  // ------------------------------------------------------------------------------------------ what was heard

  played(id: string, n: number, samples: number): void {
    this.#members.get(id)?.npc.transcript.played(n, samples);
  }

  transcript(id?: string): readonly { npc: string; lines: readonly TranscriptLine[] }[] {
    const asked = id === undefined ? [...this.#members.values()] : [this.#member(id)];
    return asked.map(({ npc }) => ({ npc: npc.id, lines: [...npc.transcript.lines] }));
  }

  // ------------------------------------------------------------------------------------------ persona reload

  /** A persona file, or its voice, has changed: every NPC of that persona is told. */
  async #recast({ persona, changed, since }: CastChange): Promise<void> {
    const affected = [...this.#members.values()].filter(({ npc }) => npc.persona.id === persona);
    const { npcs, speed, failures } = await recast(affected, this.#cast.persona(persona));
    if (this.#closed) return;
    for (const error of failures) this.#sink.failed(error);
    for (const npc of npcs) this.#ears.guard(npc.id, npc.persona.hearing.echo_guard);
    // Nobody here is it, or nobody took it.
    if (npcs.length === 0) return;
    const costMs = this.#clock.now() - since;
    this.#sink.personaChanged({ persona, changed, npcs: npcs.map(({ id }) => id), speed, costMs });
  }

  // ------------------------------------------------------------------------------------------ the whole

  npcs(): readonly NpcStatus[] {
    return [...this.#members.values()].map(({ npc }) => npc.status);
  }

  mics(): readonly { mic: string; muted: boolean }[] {
    return [...this.#mics.sounds.values()].map(({ id, muted }) => ({ mic: id, muted }));
  }

  stats(): SceneStats {
    const { ticks, timerTicks, skipped } = this.#ticker.counts;
    return {
      ticks,
      timerTicks,
      deadlineMisses: this.#deadlineMisses,
      skippedTicks: skipped,
      failedSteps: this.#failedSteps,
      strayPackets: this.#mics.strayPackets,
      npcs: this.#members.size,
      mics: Object.fromEntries([...this.#mics.sounds.values()].map((mic) => [mic.id, mic.stats()])),
      tickMs: this.#tickMs.summary(),
      modelMs: this.#modelMs.summary(),
    };
  }

  #needOpen(): void {
    if (this.#closed) throw new NpcVoiceError('unknown_scene', 'This scene has ended.');
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#unwatch();
      this.#ticker.stop();
      for (const { npc } of [...this.#members.values()]) this.#remove(npc);
      this.#mics.closeAll();
    }
    await this.#ticker.settled();
  }
}
