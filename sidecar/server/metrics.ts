/** What `/metrics` tells Prometheus. */
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Why something that was sent did not reach its end. */
export type DropCause =
  | 'mic_overflow' // frames dropped oldest-first because more than two waited
  | 'mic_lost' // packets that never came
  | 'mic_late' // packets that came twice or too late
  | 'mic_malformed' // packets that did not decode
  | 'mic_unknown' // packets that named no open microphone
  | 'slow_consumer' // NPC frames the client did not read
  | 'rate'; // messages over a rate cap

/** The sampling timer is itself late by its period, which is not delay. */
const LOOP_RESOLUTION_MS = 20;

export class Metrics {
  readonly registry = new Registry();
  readonly ticks = this.#counter('npc_voice_ticks_total', 'Scene ticks.');
  readonly deadlineMisses = this.#counter(
    'npc_voice_deadline_misses_total',
    'Ticks done more than a frame after they were due.',
  );
  readonly tickSeconds = new Histogram({
    name: 'npc_voice_tick_seconds',
    help: 'From a frame being due to all of its NPC frames being sent.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32],
    registers: [this.registry],
  });
  readonly drops = new Counter({
    name: 'npc_voice_drops_total',
    help: 'Frames, packets and messages dropped, by cause.',
    labelNames: ['cause'] as const,
    registers: [this.registry],
  });
  readonly refusals = new Counter({
    name: 'npc_voice_refusals_total',
    help: 'Connections refused or ended by the sidecar, by HTTP status or close code.',
    labelNames: ['code'] as const,
    registers: [this.registry],
  });
  readonly reloads = new Counter({
    name: 'npc_voice_persona_reloads_total',
    help: 'Persona changes, by how they took hold; rejected ones besides.',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  #loopP99 = 0;
  #loopMax = 0;

  /** `read` is asked at every scrape. */
  constructor(read: () => { connections: number; npcs: number; mics: number }) {
    this.#gauge('npc_voice_connections', 'Open client connections.', () => read().connections);
    this.#gauge('npc_voice_npcs', 'Live NPCs.', () => read().npcs);
    this.#gauge('npc_voice_mics', 'Open microphones.', () => read().mics);
    this.#gauge(
      'npc_voice_event_loop_delay_p99_seconds',
      'Event-loop delay over the last second, p99.',
      () => this.#loopP99 / 1000,
    );
    this.#gauge(
      'npc_voice_event_loop_delay_max_seconds',
      'Event-loop delay over the last second, worst.',
      () => this.#loopMax / 1000,
    );
    this.#gauge('npc_voice_resident_memory_bytes', 'Resident memory of the sidecar process.', () =>
      process.memoryUsage.rss(),
    );
    this.#gauge(
      'npc_voice_cpu_seconds_total',
      'CPU time of the sidecar process, its workers included.',
      () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    );
    this.#loop.enable();
  }

  /** Event-loop delay since the last call, ms, p99. Called once a second. */
  sampleLoop(): number {
    const delay = (ns: number): number => Math.max(0, ns / 1e6 - LOOP_RESOLUTION_MS);
    if (this.#loop.count > 0) {
      this.#loopP99 = delay(this.#loop.percentile(99));
      this.#loopMax = delay(this.#loop.max);
      this.#loop.reset();
    }
    return this.#loopP99;
  }

  dropped(cause: DropCause, count: number): void {
    if (count > 0) this.drops.inc({ cause }, count);
  }

  close(): void {
    this.#loop.disable();
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }
  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }
}
