import type { LmConfig, Tier } from '../../../sidecar/personaplex/graphs';
import { computesHalves, useSoftwareGpu } from '../../../sidecar/personaplex/runtime';
import { percentile, type BenchReport } from '../report';
import { columnsOf, inFolder, LAYERS, openBenchModel, publishedDraw, timed, WIDE } from './model';

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
