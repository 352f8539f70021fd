/**
 * PersonaPlex at full width on this machine: random weights of the published shapes, fewer layers. What bounds a frame
 * is reading the weights, so steps are given beside what reading them alone would take, measured in the same run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { lmLayout, mimiLayout } from '../../sidecar/personaplex/checkpoint';
import {
  buildDepth,
  buildMimiDecoder,
  buildMimiEncoder,
  buildTemporal,
  DEPTH_STEPS,
  storagePlan,
  type LmConfig,
  type Provider,
  type Tier,
} from '../../sidecar/personaplex/graphs';
import { MIMI, PERSONAPLEX } from '../../sidecar/personaplex/import';
import { GraphBuilder, modelBytes, writeModel } from '../../sidecar/personaplex/onnx';
import {
  computesHalves,
  LanguageModel,
  MimiDecoder,
  MimiEncoder,
  openMimi,
  openSession,
  useSoftwareGpu,
  type Draw,
  type KvCache,
} from '../../sidecar/personaplex/runtime';
import { RandomWeights } from './random-weights';
import { percentile, type BenchReport, type BenchRow } from './report';

/** Temporal layers of the bench; the model has 32. */
const LAYERS = 8;
const PROMPT_COLUMNS = 90;

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/**
 * How fast this machine reads memory with all cores: the largest of half a gigabyte of floats. The fastest plain read
 * that ONNX Runtime can be asked for, and still no upper bound: its 8-bit kernel has been seen to beat it slightly.
 */
class MemoryProbe {
  static readonly #rows = 8;
  static readonly #columns = 2 ** 24;
  readonly #session: InferenceSession;
  readonly #data: Tensor;

  private constructor(session: InferenceSession) {
    this.#session = session;
    const shape = [MemoryProbe.#rows, MemoryProbe.#columns];
    this.#data = new Tensor('float32', new Float32Array(shape[0]! * shape[1]!).fill(1), shape);
  }

  static async open(): Promise<MemoryProbe> {
    const graph = new GraphBuilder('bandwidth');
    const x = graph.input('x', 'f32', [MemoryProbe.#rows, MemoryProbe.#columns]);
    const axis = graph.constant('i64', [1], [1]);
    const [largest] = graph.node('ReduceMax', [x, axis], [{ type: 'f32', shape: [MemoryProbe.#rows, 1] }]);
    graph.output('largest', largest!);
    return new MemoryProbe(await openSession(await modelBytes(graph), { provider: 'cpu' }));
  }

  /** GB/s now. */
  async run(): Promise<number> {
    const time = await timed(() => this.#session.run({ x: this.#data }));
    return (MemoryProbe.#rows * MemoryProbe.#columns * 4) / 1e6 / time;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

/** Bytes of a graph's weights that every frame reads: all but the tables, of which it reads rows. */
const bytesRead = (graph: GraphBuilder): number =>
  graph.payloads
    .flatMap((payload) => payload.tensors)
    .filter(({ name }) => !/emb/.test(name))
    .reduce((sum, { shape, type }) => {
      const width = type === 'f32' ? 4 : type === 'f16' ? 2 : 1;
      return sum + width * shape.reduce<number>((n, dim) => n * (dim as number), 1);
    }, 0);

interface BenchModel {
  model: LanguageModel;
  temporalBytes: number;
  depthBytes: number;
  close(): Promise<void>;
}

const WIDE: LmConfig = { ...PERSONAPLEX, layers: LAYERS };

async function openBenchModel(
  tier: Tier,
  folder: string,
  options: { provider?: Provider; config?: LmConfig; activations?: 'f32' | 'f16' } = {},
): Promise<BenchModel> {
  const { provider = 'cpu', config = WIDE } = options;
  const weights = new RandomWeights(lmLayout(config));
  const plan = storagePlan(tier, provider, options.activations);
  const [temporal, depth] = [buildTemporal(config, weights, plan), buildDepth(config, weights, plan)];
  const files = {
    temporal: path.join(folder, `${tier}-temporal.onnx`),
    depth: path.join(folder, `${tier}-depth.onnx`),
  };
  await writeModel(temporal, files.temporal);
  await writeModel(depth, files.depth);
  const model = await LanguageModel.open({ config, ...files }, { provider });
  return {
    model,
    temporalBytes: bytesRead(temporal),
    depthBytes: bytesRead(depth),
    close: async () => {
      await model.close();
      for (const file of Object.values(files)) {
        rmSync(file);
        rmSync(`${file}.data`);
      }
    },
  };
}

/** The published sampling: 25 candidates of text, 250 of audio. */
function publishedDraw(): Draw {
  return {
    forcedText: Int32Array.of(-1),
    forcedAudio: new Int32Array(DEPTH_STEPS).fill(-1),
    text: { count: 25, sharpness: Float32Array.of(1 / 0.7), noise: new Float32Array(25) },
    audio: { count: 250, sharpness: Float32Array.of(1 / 0.8), noise: new Float32Array(DEPTH_STEPS * 250) },
  };
}

const columnsOf = (steps: number, card = 2048): { tokens: Int32Array; steps: number } => ({
  tokens: Int32Array.from({ length: steps * 17 }, (_, i) => (i * 37) % card),
  steps,
});

/** Temporal and depth step of each tier, against reading their weights. */
export async function benchSteps(tiers: readonly Tier[] = ['q8', 'mixed', 'q4']): Promise<BenchReport> {
  const rows: BenchRow[] = [];
  await inFolder(async (folder) => {
    for (const tier of tiers) {
      const { model, temporalBytes, depthBytes, close } = await openBenchModel(tier, folder);
      const probe = await MemoryProbe.open();
      const cache = model.newCache(1);
      const draw = publishedDraw();
      const frames: { temporal: number; depth: number; bandwidth: number }[] = [];
      for (let frame = 0; frame < 60; frame++) {
        const before = await probe.run();
        const began = performance.now();
        const outlook = await model.consume(cache, columnsOf(1), [true]);
        const between = performance.now();
        await model.draw(outlook, draw);
        const ended = performance.now();
        if (frame < 10) continue;
        // Beside what memory gave just before and after: a shared machine's bandwidth may halve and double in a run.
        const bandwidth = (before + (await probe.run())) / 2;
        frames.push({ temporal: between - began, depth: ended - between, bandwidth });
      }
      await probe.close();
      const row = (
        what: string,
        bytes: number,
        timeOf: (frame: (typeof frames)[number]) => number,
      ): BenchRow => {
        const times = frames.map(timeOf);
        const ratios = frames.map((frame) => timeOf(frame) / (bytes / 1e6 / frame.bandwidth));
        const bandwidths = frames.map(({ bandwidth }) => bandwidth);
        const [low, middle, high] = [0.05, 0.5, 0.95].map((p) => percentile(bandwidths, p));
        return {
          what: `${tier} ${what}`,
          value: percentile(ratios, 0.5),
          unit: 'x floor',
          limit: 1.25,
          against: `${(bytes / 1e6).toFixed(0)} MB at ${middle!.toFixed(1)} GB/s = ${(bytes / 1e6 / middle!).toFixed(1)} ms`,
          note:
            `p50 ${percentile(times, 0.5).toFixed(1)} ms, best ${Math.min(...times).toFixed(1)} ms; ratios ` +
            `${percentile(ratios, 0.05).toFixed(2)} to ${percentile(ratios, 0.95).toFixed(2)}, memory ${low!.toFixed(0)} to ${high!.toFixed(0)} GB/s`,
        };
      };
      rows.push(row(`temporal, ${LAYERS} layers and text head`, temporalBytes, ({ temporal }) => temporal));
      rows.push(row('depth, 8 steps', depthBytes, ({ depth }) => depth));
      rows.push(row('frame', temporalBytes + depthBytes, ({ temporal, depth }) => temporal + depth));
      cache.dispose();
      await close();
    }
  });
  return {
    title: 'PersonaPlex: a step against reading its weights',
    how: `full width, ${LAYERS} of 32 layers, random weights, CPU with ${os.availableParallelism()} threads, 50 frames`,
    rows,
  };
}

/** The prompt in one pass against one step a column, and the past's cost as it grows. */
export async function benchContext(tier: Tier = 'q4'): Promise<BenchReport> {
  return inFolder(async (folder) => {
    const { model, close } = await openBenchModel(tier, folder);
    const probe = await MemoryProbe.open();
    const step = (cache: KvCache): Promise<number> => timed(() => model.consume(cache, columnsOf(1), [true]));
    const stepping = async (cache: KvCache, runs: number): Promise<number> => {
      const times: number[] = [];
      for (let run = 0; run < runs; run++) times.push(await step(cache));
      return percentile(times, 0.5);
    };
    await stepping(model.newCache(1), 5);

    const passes: number[] = [];
    for (let run = 0; run < 5; run++) {
      const fresh = model.newCache(1);
      passes.push(await timed(() => model.consume(fresh, columnsOf(PROMPT_COLUMNS), [true])));
    }
    const prefill = percentile(passes, 0.5);
    const steps = PROMPT_COLUMNS * (await stepping(model.newCache(1), 20));

    const filled = async (position: number): Promise<KvCache> => {
      const cache = model.newCache(1);
      while (cache.positions[0]! < position)
        await model.consume(cache, columnsOf(Math.min(250, position - cache.positions[0]!)), [true]);
      return cache;
    };
    const [fresh, old] = [await filled(100), await filled(2940)];
    const pastBytes = (2940 - 100) * 2 * 4 * LAYERS * model.config.dim;
    const pairs: { short: number; long: number; ratio: number; bandwidth: number }[] = [];
    for (let run = 0; run < 50; run++) {
      // Turn by turn, for the same reason as above.
      const bandwidth = await probe.run();
      const short = await step(fresh);
      const long = await step(old);
      pairs.push({ short, long, ratio: (long - short) / (pastBytes / 1e6 / bandwidth), bandwidth });
    }
    await probe.close();
    await close();
    const middle = (of: (pair: (typeof pairs)[number]) => number): number => percentile(pairs.map(of), 0.5);
    const bandwidth = middle((pair) => pair.bandwidth);
    return {
      title: 'PersonaPlex: prompt and past',
      how: `full width, ${LAYERS} of 32 layers, tier ${tier}, random weights, CPU`,
      rows: [
        { what: `prompt of ${PROMPT_COLUMNS} columns in one pass`, value: prefill, unit: 'ms', limit: steps / 2, against: `half of ${PROMPT_COLUMNS} steps`, note: `${(steps / prefill).toFixed(1)} times faster` },
        { what: 'step after 100 frames', value: middle(({ short }) => short), unit: 'ms' },
        { what: 'step after 2940 frames', value: middle(({ long }) => long), unit: 'ms' },
        { what: 'growth', value: middle(({ ratio }) => ratio), unit: 'x floor', limit: 1.25, against: `${(pastBytes / 1e6).toFixed(0)} MB of past at ${bandwidth.toFixed(1)} GB/s = ${(pastBytes / 1e6 / bandwidth).toFixed(1)} ms`, note: `p50 ${middle(({ short, long }) => long - short).toFixed(1)} ms` },
      ],
    }; // prettier-ignore
  });
}

/** As many nodes as the wide model, and next to nothing to compute in them. */
const NARROW: LmConfig = {
  ...WIDE,
  dim: 128,
  heads: 1,
  ffnHidden: 64,
  card: 256,
  textCard: 256,
  depthDim: 64,
  depthHeads: 1,
  depthFfnHidden: 64,
};

/** A frame on the GPU, and how much of it is dispatching the graphs' nodes rather than reading weights. */
export async function benchWebgpu(tier: Tier = 'q8', wide: LmConfig = WIDE): Promise<BenchReport> {
  const title = 'PersonaPlex: a step on the GPU';
  const driver = useSoftwareGpu();
  const skip = (why: string): BenchReport => ({ title, how: `skipped: ${why}`, rows: [] });
  if (driver && wide === WIDE)
    return skip('this machine has no GPU, and a software one says nothing of speed');
  return inFolder(async (folder) => {
    let activations: 'f32' | 'f16';
    try {
      activations = (await computesHalves()) ? 'f16' : 'f32';
    } catch (error) {
      return skip((error as Error).message.split('\n')[0]!);
    }
    const frame = async (config: LmConfig): Promise<{ times: number[]; bytes: number }> => {
      const options = { provider: 'webgpu', config, activations } as const;
      const { model, temporalBytes, depthBytes, close } = await openBenchModel(tier, folder, options);
      const cache = model.newCache(1);
      const draw = publishedDraw();
      const times: number[] = [];
      for (let run = 0; run < 40; run++) {
        const time = await timed(async () =>
          model.draw(await model.consume(cache, columnsOf(1, config.card), [true]), draw),
        );
        if (run >= 10) times.push(time);
      }
      cache.dispose();
      await close();
      return { times, bytes: temporalBytes + depthBytes };
    };
    const narrow = percentile((await frame(NARROW)).times, 0.5);
    const { times, bytes } = await frame(wide);
    const whole = percentile(times, 0.5);
    return {
      title,
      how: `full width, ${LAYERS} of 32 layers, tier ${tier}, activations ${activations}, WebGPU, random weights, 30 frames`,
      rows: [
        { what: 'frame, p50', value: whole, unit: 'ms' },
        { what: 'of it dispatch: the same graphs, narrow', value: narrow, unit: 'ms' },
        { what: 'weights read in the rest', value: bytes / 1e6 / (whole - narrow), unit: 'GB/s' },
      ],
    };
  });
}

/** A frame through the codec on one core. */
export async function benchMimi(): Promise<BenchReport> {
  return inFolder(async (folder) => {
    const weights = new RandomWeights(mimiLayout(MIMI));
    const files = { encoder: path.join(folder, 'encoder.onnx'), decoder: path.join(folder, 'decoder.onnx') };
    await writeModel(buildMimiEncoder(MIMI, weights), files.encoder);
    await writeModel(buildMimiDecoder(MIMI, weights), files.decoder);
    const sessions = await openMimi(files, { provider: 'cpu', threads: 1 });
    const encoder = new MimiEncoder(sessions.encoder, MIMI, 1);
    const decoder = new MimiDecoder(sessions.decoder, MIMI, 1);
    const samples = Float32Array.from({ length: 1920 }, (_, i) => Math.sin(i / 20) / 4);
    const [encode, decode]: [number[], number[]] = [[], []];
    // Past the transformers' ten seconds, when their rings are full.
    for (let frame = 0; frame < 200; frame++) {
      let codes = new Int32Array(DEPTH_STEPS);
      const encoding = await timed(
        async () => (codes = Int32Array.from((await encoder.encode(samples)).codes)),
      );
      const decoding = await timed(() => decoder.decode(codes));
      if (frame < 130) continue;
      encode.push(encoding);
      decode.push(decoding);
    }
    await sessions.encoder.release();
    await sessions.decoder.release();
    const both = encode.map((time, i) => time + decode[i]!);
    return {
      title: 'Mimi: a frame of 80 ms through the codec',
      how: 'full size, random weights, one thread, 70 frames after the rings are full',
      rows: [
        { what: 'encode, p50', value: percentile(encode, 0.5), unit: 'ms' },
        { what: 'decode, p50', value: percentile(decode, 0.5), unit: 'ms' },
        { what: 'both, p50', value: percentile(both, 0.5), unit: 'ms', limit: 40, note: `best ${Math.min(...both).toFixed(1)} ms` },
      ],
    }; // prettier-ignore
  });
}

export const benchPersonaplex = async (): Promise<BenchReport[]> => [
  await benchMimi(),
  await benchSteps(),
  await benchContext(),
  await benchWebgpu(),
];
