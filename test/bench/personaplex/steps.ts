/** A frame on the CPU. What bounds it is reading the weights, so it is given beside what reading them alone would take. */
import os from 'node:os';
import type { Tier } from '../../../sidecar/personaplex/graphs';
import type { BenchReport, BenchRow } from '../report';
import { floorRow, type Reading } from './floor';
import { weightKernels } from './kernels';
import { MemoryProbe } from './memory-probe';
import { columnsOf, inFolder, LAYERS, openBenchModel, publishedDraw } from './model';

const FRAMES = 50;
const WARM_UP = 10;

/** Temporal and depth step of each tier, against reading their weights. */
export async function benchSteps(tiers: readonly Tier[] = ['q8', 'mixed', 'q4']): Promise<BenchReport> {
  const rows: BenchRow[] = [];
  await inFolder(async (folder) => {
    for (const tier of tiers) {
      const { model, temporalBytes, depthBytes, close } = await openBenchModel(tier, folder);
      const alone = await weightKernels(tier, folder);
      const probe = await MemoryProbe.open();
      const cache = model.newCache(1);
      const draw = publishedDraw();
      const [temporal, depth, frames, kernels]: Reading[][] = [[], [], [], []];
      let before = await probe.run();
      for (let frame = 0; frame < WARM_UP + FRAMES; frame++) {
        const began = performance.now();
        const outlook = await model.consume(cache, columnsOf(1), [true]);
        const between = performance.now();
        await model.draw(outlook, draw);
        const ended = performance.now();
        const amid = await probe.run();
        const time = await alone.run();
        const after = await probe.run();
        if (frame >= WARM_UP) {
          const bandwidth = (before + amid) / 2;
          temporal!.push({ time: between - began, bytes: temporalBytes, bandwidth });
          depth!.push({ time: ended - between, bytes: depthBytes, bandwidth });
          frames!.push({ time: ended - began, bytes: temporalBytes + depthBytes, bandwidth });
          kernels!.push({ time, bytes: alone.bytes, bandwidth: (amid + after) / 2 });
        }
        before = after;
      }
      rows.push(floorRow(`${tier} temporal, ${LAYERS} layers and text head`, temporal!, 1.25));
      rows.push(floorRow(`${tier} depth, 8 steps`, depth!, 1.25));
      rows.push(floorRow(`${tier} frame`, frames!, 1.25));
      rows.push(floorRow(`${tier} ${alone.what}`, kernels!));
      cache.dispose();
      await probe.close();
      await alone.close();
      await close();
    }
  });
  return {
    title: 'PersonaPlex: a step against reading its weights',
    how: `full width, ${LAYERS} of 32 layers, random weights, CPU with ${os.availableParallelism()} threads, ${FRAMES} frames`,
    rows,
  };
}
