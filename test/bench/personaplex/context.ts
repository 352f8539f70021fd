import type { Tier } from '../../../sidecar/personaplex/graphs';
import type { KvCache } from '../../../sidecar/personaplex/runtime';
import { percentile, type BenchReport } from '../report';
import { floorRow, type Reading } from './floor';
import { pastKernels } from './kernels';
import { MemoryProbe } from './memory-probe';
import { columnsOf, inFolder, LAYERS, openBenchModel, timed } from './model';

const PROMPT_COLUMNS = 90;

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
    const alone = await pastKernels();
    const [growth, kernels]: Reading[][] = [[], []];
    const [short, long]: number[][] = [[], []];
    let before = await probe.run();
    for (let run = 0; run < 50; run++) {
      short!.push(await step(fresh));
      long!.push(await step(old));
      const amid = await probe.run();
      const time = await alone.run();
      const after = await probe.run();
      growth!.push({ time: long![run]! - short![run]!, bytes: pastBytes, bandwidth: (before + amid) / 2 });
      kernels!.push({ time, bytes: alone.bytes, bandwidth: (amid + after) / 2 });
      before = after;
    }
    await probe.close();
    await alone.close();
    await close();
    return {
      title: 'PersonaPlex: prompt and past',
      how: `full width, ${LAYERS} of 32 layers, tier ${tier}, random weights, CPU`,
      rows: [
        { what: `prompt of ${PROMPT_COLUMNS} columns in one pass`, value: prefill, unit: 'ms', limit: steps / 2, against: `half of ${PROMPT_COLUMNS} steps`, note: `${(steps / prefill).toFixed(1)} times faster` },
        { what: 'step after 100 frames', value: percentile(short!, 0.5), unit: 'ms' },
        { what: 'step after 2940 frames', value: percentile(long!, 0.5), unit: 'ms' },
        floorRow('growth', growth!, 1.25),
        floorRow(alone.what, kernels!),
      ],
    }; // prettier-ignore
  });
}
