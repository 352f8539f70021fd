/** What the sidecar itself costs: latency beside the model's time, CPU, memory, event-loop delay. */
import type { StatsEvent } from '../../sidecar/wire';
import { percentile, type BenchReport, type BenchRow } from './report';
import { everyTwentyMs, RunningSidecar, type BareClient } from './running-sidecar';

const PACKET_SAMPLES = 480;
const SETTLE_MS = 3_000;
const MEASURE_MS = 12_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const CAST = ['aldric', 'brenn', 'fitch', 'marta', 'orwin', 'pip'];

async function attach(client: BareClient, count: number, greet: boolean): Promise<void> {
  for (let i = 0; i < count; i++)
    await client.ask({ t: 'attach', npc: `npc${i}`, persona: CAST[i % CAST.length]!, greet, seed: i });
}

/** A microphone of quiet room noise: what a listening cast hears most of the time. */
function roomNoise(): Uint8Array {
  const samples = new Int16Array(PACKET_SAMPLES);
  for (let i = 0; i < samples.length; i++) samples[i] = ((i * 7919) % 41) - 20;
  return new Uint8Array(samples.buffer);
}

export async function benchSidecar(): Promise<BenchReport[]> {
  const latency: BenchRow[] = [];
  const cost: BenchRow[] = [];
  for (const count of [1, 8, 32, 64]) {
    const sidecar = await RunningSidecar.start();
    try {
      const client = await sidecar.connect();
      const frameGaps: number[] = [];
      const loop: number[] = [];
      let stats: StatsEvent | undefined;
      let last = 0;
      await attach(client, count, false);
      await client.ask({ t: 'open_mic', mic: 'player', codec: 's16', rate: 24_000 });
      const pcm = roomNoise();
      const stop = everyTwentyMs((n) => client.send({ t: 'mic', mic: 'player', n, pcm }));
      await sleep(SETTLE_MS);
      client.onMessage = (message) => {
        if (message.t === 'stats') {
          stats = message;
          loop.push(message.loop_p99);
        }
        if (message.t === 'frame' && message.npc === 'npc0') {
          const now = performance.now();
          if (last > 0) frameGaps.push(now - last);
          last = now;
        }
      };
      const before = await sidecar.usage();
      const began = performance.now();
      await sleep(MEASURE_MS);
      const seconds = (performance.now() - began) / 1000;
      const after = await sidecar.usage();
      stop();
      client.close();
      if (!stats) throw new Error('the sidecar sent no stats');
      const plural = count === 1 ? '1 NPC' : `${count} NPCs`;
      const limit = count === 1 ? 2 : count === 32 ? 5 : undefined;
      latency.push(
        {
          what: `${plural}: frame complete → frames sent, less model time, p99`,
          value: stats.overhead_p99,
          unit: 'ms',
          ...(limit ? { limit } : {}),
        },
        {
          what: `${plural}: the same with model time, p99`,
          value: stats.latency_p99,
          unit: 'ms',
          limit: 80,
          against: 'one frame',
        },
        {
          what: `${plural}: event-loop delay, median second's p99`,
          value: percentile(loop, 0.5),
          unit: 'ms',
          limit: 10,
        },
        {
          what: `${plural}: gap between frames at the client, p99`,
          value: percentile(frameGaps, 0.99),
          unit: 'ms',
        },
      );
      cost.push(
        {
          what: `${plural} listening: CPU`,
          value: ((after.cpu - before.cpu) / seconds) * 100,
          unit: '% of a core',
          ...(count === 64 ? { limit: 50 } : {}),
        },
        { what: `${plural} listening: resident memory`, value: after.rss / 1e6, unit: 'MB', limit: 300 },
      );
    } finally {
      await sidecar.stop();
    }
  }
  const how = `a sidecar process and a client over loopback; one microphone in 20 ms packets, ${MEASURE_MS / 1000} s after ${SETTLE_MS / 1000} s`;
  return [
    { title: 'Sidecar latency', how, rows: latency },
    { title: 'Sidecar cost', how, rows: cost },
  ];
}
