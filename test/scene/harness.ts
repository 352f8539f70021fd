/** What tests of the scene share: a cast held in memory, a sink that remembers, a microphone of known samples. */
import { FRAME_MS, FRAME_SAMPLES } from '../../sidecar/audio';
import type { CharacterBrief, DuplexVoice } from '../../sidecar/duplex';
import { NpcVoiceError } from '../../sidecar/errors';
import { personaSchema, type Persona, type PersonaFile } from '../../sidecar/personas/schema';
import { Scene, SteppedClock } from '../../sidecar/scene';
import type {
  BriefOverrides,
  Cast,
  CastChange,
  SceneFrame,
  SceneSink,
  SceneTurn,
  TickTiming,
} from '../../sidecar/scene';
import type { StateValue, TranscriptLine } from '../../sidecar/wire/messages';
import { ScriptedModel } from './scripted-model';

export function persona(id: string, more: Partial<PersonaFile> = {}): Persona {
  const file: PersonaFile = {
    name: id,
    role: `You are ${id}.`,
    voice: 'plain',
    hearing: { echo_guard: false },
    lines: { replies: ['Aye to that'], farewell: ['Fare well'] },
    ...more,
  };
  return { ...personaSchema.parse(file), id };
}

export class MemoryCast implements Cast {
  readonly personas = new Map<string, Persona>();
  readonly #listeners = new Set<(change: CastChange) => void>();

  constructor(...personas: Persona[]) {
    for (const p of personas) this.personas.set(p.id, p);
  }
  persona(id: string): Persona {
    const found = this.personas.get(id);
    if (!found) throw new NpcVoiceError('unknown_persona', `There is no persona "${id}".`);
    return found;
  }
  voice(id: string): DuplexVoice {
    if (id !== 'plain' && id !== 'deep')
      throw new NpcVoiceError('unknown_voice', `There is no voice "${id}".`);
    return { id, understudy: { base: 'rms' } };
  }
  brief(p: Persona, state: Readonly<Record<string, StateValue>>, o: BriefOverrides = {}): CharacterBrief {
    const vars: Record<string, StateValue> = { ...p.state, ...state };
    const fill = (text: string) =>
      text.replace(/\{(\w+)\}/g, (all, name: string) => String(vars[name] ?? all));
    return {
      persona: p.id,
      name: p.name,
      language: p.language,
      prompt: fill(p.role),
      facts: p.facts.map(fill),
      voice: this.voice(o.voice ?? p.voice),
      turnTaking: {
        patienceMs: o.patienceMs ?? p.turn_taking.patience_ms,
        overlap: o.overlap ?? p.turn_taking.overlap,
        resume: p.turn_taking.resume,
        backchannelsPerMinute: o.backchannelsPerMinute ?? p.turn_taking.backchannels_per_minute,
      },
      sampling: { textTemperature: 0, textTopK: 1, audioTemperature: 0, audioTopK: 1 },
      lines: {
        greeting: p.lines.greeting.map(fill),
        replies: p.lines.replies.map(fill),
        interrupted: [],
        idle: [],
        idleEverySeconds: 0,
        farewell: p.lines.farewell.map(fill),
        backchannels: [],
      },
    };
  }
  onChange(listener: (change: CastChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  get listeners(): number {
    return this.#listeners.size;
  }
  change(changed: Persona, keys: readonly string[], since: number): void {
    this.personas.set(changed.id, changed);
    for (const listener of this.#listeners) listener({ persona: changed.id, changed: keys, since });
  }
}

/** Every call, in order, with frames' buffers copied. */
export class RecordingSink implements SceneSink {
  readonly log: string[] = [];
  readonly frames: SceneFrame[] = [];
  readonly turns: SceneTurn[] = [];
  readonly lines: { npc: string; line: TranscriptLine }[] = [];
  readonly levels: { mic: string; level: number; voiced: boolean }[] = [];
  readonly changes: Parameters<SceneSink['personaChanged']>[0][] = [];
  readonly failures: unknown[] = [];
  readonly ticks: TickTiming[] = [];

  frame(frame: SceneFrame): void {
    this.frames.push({ ...frame, pcm: frame.pcm && Float32Array.from(frame.pcm), cues: [...frame.cues] });
    this.log.push(`frame ${frame.npc} ${frame.n}`);
  }
  turn(event: SceneTurn): void {
    this.turns.push(event);
    this.log.push(`${event.ev} ${event.npc} ${event.n}`);
  }
  flush(npc: string, n: number): void {
    this.log.push(`flush ${npc} ${n}`);
  }
  transcript(npc: string, line: TranscriptLine): void {
    this.lines.push({ npc, line });
    this.log.push(`transcript ${npc}`);
  }
  held(npc: string, on: boolean, why: string): void {
    this.log.push(`${on ? 'held' : 'released'} ${npc} ${why}`);
  }
  micLevel(mic: string, level: number, voiced: boolean): void {
    this.levels.push({ mic, level, voiced });
  }
  personaChanged(change: Parameters<SceneSink['personaChanged']>[0]): void {
    this.changes.push(change);
  }
  failed(error: unknown): void {
    this.failures.push(error);
  }
  ticked(timing: TickTiming): void {
    this.ticks.push(timing);
  }

  of(npc: string): SceneFrame[] {
    return this.frames.filter((frame) => frame.npc === npc);
  }
  /** Words of an NPC's frames, as they came. */
  words(npc: string): string {
    return this.of(npc)
      .map((frame) => frame.text)
      .join('')
      .trim();
  }
}

export const f32 = (samples: Float32Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);

export const MIC = { codec: 'f32', rate: 24_000, channels: 1 } as const;

/** A sine wave that goes on from frame to frame. */
export function tone(
  hz: number,
  frame: number,
  amplitude = 0.5,
  samples = FRAME_SAMPLES,
  rate = 24_000,
): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hz * (frame * samples + i)) / rate),
  );
}

export class Stage {
  readonly clock = new SteppedClock();
  readonly model: ScriptedModel;
  readonly cast: MemoryCast;
  readonly sink = new RecordingSink();
  readonly scene: Scene;
  readonly #numbers = new Map<string, number>();

  constructor(options: { model?: ScriptedModel; cast?: MemoryCast } = {}) {
    this.model = options.model ?? new ScriptedModel();
    this.cast = options.cast ?? new MemoryCast(persona('aldric'), persona('brenna'), persona('corin'));
    this.scene = new Scene({ clock: this.clock, model: this.model, cast: this.cast, sink: this.sink });
  }

  /** Moves time on, and lets every tick that falls due end. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    while (this.clock.now() < until) {
      this.clock.advanceTo(Math.min(until, this.clock.now() + FRAME_MS / 8));
      await this.scene.settled();
    }
  }

  /** One frame of each given microphone's sound, then the tick it makes. */
  async frame(sounds: Record<string, Float32Array>): Promise<void> {
    this.clock.advance(FRAME_MS);
    await this.scene.settled();
    for (const [mic, samples] of Object.entries(sounds)) this.send(mic, samples);
    await this.scene.settled();
  }

  send(mic: string, samples: Float32Array): void {
    const n = this.#numbers.get(mic) ?? 0;
    this.#numbers.set(mic, n + 1);
    this.scene.micPacket(mic, n, f32(samples));
  }

  seatOf(npc: string) {
    const seats = [...this.model.seats.values()].filter((seat) => seat.brief.persona === npc);
    return seats.at(-1)!;
  }
}
