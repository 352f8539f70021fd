/** One client's scene on the wire: what the scene tells becomes messages. What the client asks is in requests.ts. */
import { createAudioEncoder, type AudioEncoder, type AudioFormat } from '../audio';
import { asNpcVoiceError } from '../errors';
import {
  Timings, type MicStats, type SceneFrame, type ScenePort, type SceneSink, type SceneTurn, type TickTiming,
} from '../scene'; // prettier-ignore
import {
  errorMessage, type HoldReason, type PersonaChanged, type SceneFigures, type ServerMessage, type TranscriptLine, type WatchedScene,
} from '../wire'; // prettier-ignore
import type { Log } from './log';
import type { DropCause, Metrics } from './metrics';
import type { Outbox } from './outbox';
import { changedLine } from './persona-log';
import { round } from './rate';
import type { WatchHub, Watchable } from './watch';

/** Sets up the scene of a new connection. */
export type CreateScene = (sink: SceneSink) => ScenePort;

export interface SessionOptions {
  id: string;
  client: string;
  /** How NPC audio is wanted. */
  format: AudioFormat;
  outbox: Outbox;
  /** Messages of this client refused by a rate cap. */
  refused: () => number;
  createScene: CreateScene;
  hub: WatchHub;
  metrics: Metrics;
  log: Log;
}

/** Ticks that latency figures look back on: 10 s. */
const WINDOW = 125;
const MIC_CAUSES: readonly [keyof MicStats, DropCause][] = [
  ['droppedFrames', 'mic_overflow'],
  ['lost', 'mic_lost'],
  ['late', 'mic_late'],
  ['malformed', 'mic_malformed'],
];

export class Session implements SceneSink, Watchable {
  readonly id: string;
  readonly client: string;
  readonly scene: ScenePort;
  readonly hub: WatchHub;
  readonly #o: SessionOptions;
  readonly #mics = new Set<string>();
  readonly #encoders = new Map<string, AudioEncoder>();
  readonly #latency = new Timings(WINDOW);
  readonly #overhead = new Timings(WINDOW);
  /** What has been counted into the metrics already, by microphone. */
  readonly #counted = new Map<string, MicStats>();
  #missesCounted = 0;
  #loopP99 = 0;

  constructor(o: SessionOptions) {
    this.#o = o;
    this.id = o.id;
    this.client = o.client;
    this.hub = o.hub;
    this.scene = o.createScene(this);
    this.hub.add(this);
  }

  async close(): Promise<void> {
    this.#countDrops();
    this.hub.remove(this);
    await this.scene.close();
    for (const encoder of this.#encoders.values()) encoder.dispose();
    this.#encoders.clear();
  }

  describe(): Omit<WatchedScene, 't' | 'there'> {
    return {
      of: this.id,
      client: this.client,
      npcs: this.scene
        .npcs()
        .map(({ npc, persona, name, held, muted }) => ({ npc, persona, name, held, muted })),
      mics: this.scene.mics().map(({ mic, muted }) => ({ mic, muted })),
    };
  }

  hasMic(mic: string): boolean {
    return this.#mics.has(mic);
  }
  openMic(mic: string, format: AudioFormat, primary?: boolean): void {
    this.scene.openMic(mic, format, { primary });
    this.#mics.add(mic);
    this.hub.changed(this);
  }
  closeMic(mic: string): void {
    this.scene.closeMic(mic);
    this.#mics.delete(mic);
    this.hub.changed(this);
  }

  relayed(bytes: Uint8Array): void {
    this.#o.outbox.sendDroppable(bytes);
  }

  /** The NPC is gone: so is its encoder's state. */
  forget(npc: string): void {
    this.#encoders.get(npc)?.dispose();
    this.#encoders.delete(npc);
  }

  frame(frame: SceneFrame): void {
    let encoder = this.#encoders.get(frame.npc);
    if (!encoder) this.#encoders.set(frame.npc, (encoder = createAudioEncoder(this.#o.format)));
    const message: ServerMessage = {
      t: 'frame',
      npc: frame.npc,
      n: frame.n,
      pcm: encoder.encode(frame.pcm),
      turn: frame.turn,
      level: Math.round(frame.level * 1e4) / 1e4,
      text: frame.text === '' ? undefined : frame.text,
      mouth: frame.mouth ?? undefined,
      cues: frame.cues.length === 0 ? undefined : [...frame.cues],
    };
    this.#o.outbox.sendDroppable(message);
    this.hub.relay(this, message);
  }

  turn({ ev, npc, n, from, ms }: SceneTurn): void {
    this.tell({ t: 'turn', ev, npc, n, from, ms });
  }
  flush(npc: string, n: number, fade: number): void {
    this.tell({ t: 'flush', npc, n, fade });
  }
  transcript(npc: string, line: TranscriptLine): void {
    this.tell({ t: 'transcript', npc, line });
  }
  held(npc: string, on: boolean, why: HoldReason): void {
    this.tell({ t: 'held', npc, on, why });
    this.hub.changed(this);
  }
  micLevel(mic: string, level: number, voiced: boolean): void {
    this.tell({ t: 'mic_level', mic, level: Math.round(level * 1e4) / 1e4, voiced });
  }
  personaChanged(change: Parameters<SceneSink['personaChanged']>[0]): void {
    const { persona, speed, changed, npcs, costMs } = change;
    this.#o.metrics.reloads.inc({ outcome: speed });
    const message: PersonaChanged = {
      t: 'persona_changed', persona, speed, changed: [...changed], npcs: [...npcs], cost: round(costMs),
    }; // prettier-ignore
    this.#o.log.info(changedLine(message));
    this.tell(message);
  }
  failed(error: unknown): void {
    const failure = asNpcVoiceError(error);
    this.#o.log.error(`${this.id} ${failure.code}: ${failure.message}`);
    this.#o.outbox.send(errorMessage(failure));
  }
  ticked({ due, modelMs, done, micDriven }: TickTiming): void {
    const took = performance.now() - due;
    // A tick that the timer drove was due whenever the timer happened to fire.
    if (micDriven) {
      this.#latency.add(took);
      this.#overhead.add(took - modelMs);
    }
    this.#o.metrics.ticks.inc();
    this.#o.metrics.tickSeconds.observe((done - due) / 1000);
  }

  figures(): SceneFigures {
    const {
      ticks,
      timerTicks,
      deadlineMisses,
      skippedTicks,
      failedSteps,
      strayPackets,
      npcs,
      mics,
      tickMs,
      modelMs,
    } = this.scene.stats();
    const latency = this.#latency.summary();
    const overhead = this.#overhead.summary();
    const { outbox, refused } = this.#o;
    return {
      ticks,
      timer_ticks: timerTicks,
      deadline_misses: deadlineMisses,
      skipped_ticks: skippedTicks,
      failed_steps: failedSteps,
      npcs,
      tick_p50: round(tickMs.p50),
      tick_p99: round(tickMs.p99),
      tick_max: round(tickMs.max),
      model_p50: round(modelMs.p50),
      model_p99: round(modelMs.p99),
      model_max: round(modelMs.max),
      latency_p50: round(latency.p50),
      latency_p99: round(latency.p99),
      latency_max: round(latency.max),
      overhead_p50: round(overhead.p50),
      overhead_p99: round(overhead.p99),
      loop_p99: round(this.#loopP99),
      buffered: outbox.buffered,
      dropped_frames: outbox.dropped,
      refused: refused(),
      stray: strayPackets,
      mics: Object.entries(mics).map(([mic, m]) => ({
        mic,
        packets: m.packets,
        lost: m.lost,
        late: m.late,
        malformed: m.malformed,
        dropped: m.droppedFrames,
        missing: m.missingFrames,
        drift_ppm: round(m.driftPpm),
        buffered_ms: round(m.bufferedMs),
      })),
    };
  }

  /** Once a second: the stats event, and this second's drops into the metrics. */
  everySecond(loopP99: number): void {
    this.#loopP99 = loopP99;
    this.#countDrops();
    this.tell({ t: 'stats', ...this.figures() });
  }

  send(message: ServerMessage): void {
    this.#o.outbox.send(message);
  }
  /** To the client, and to who watches its scene. */
  tell(message: ServerMessage): void {
    this.#o.outbox.send(message);
    this.hub.relay(this, message);
  }

  /** Counters of a scene start with it, those of the metrics never go back: the difference is carried over. */
  #countDrops(): void {
    const { mics, deadlineMisses } = this.scene.stats();
    this.#o.metrics.deadlineMisses.inc(deadlineMisses - this.#missesCounted);
    this.#missesCounted = deadlineMisses;
    for (const [mic, now] of Object.entries(mics)) {
      const before = this.#counted.get(mic);
      for (const [figure, cause] of MIC_CAUSES) {
        const counted = before?.[figure] ?? 0;
        // A microphone closed and opened again counts from nothing.
        this.#o.metrics.dropped(cause, now[figure] >= counted ? now[figure] - counted : now[figure]);
      }
      this.#counted.set(mic, { ...now });
    }
  }
}
