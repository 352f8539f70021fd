import { describe, expect, it } from 'vitest';
import { Generator, GREEDY, type Sampling, type SpeechTokens } from '../../../sidecar/personaplex/generator';
import { storagePlan } from '../../../sidecar/personaplex/graphs';
import type { Outlook } from '../../../sidecar/personaplex/runtime';
import { largestError, openModel, randomColumn, randomWeights, SMALL, uniform } from '../graphs/models';
import { webgpuRuns } from './webgpu';

const available = await webgpuRuns();

const TOKENS: SpeechTokens = {
  silence: [1, 2, 3, 4, 5, 6, 7, 8],
  sine: [8, 7, 6, 5, 4, 3, 2, 1],
  textPad: 3,
  spacerFrames: 2,
};
const LIVELY: Sampling = { textTemperature: 0.9, textTopK: 12, audioTemperature: 1, audioTopK: 16 };

/** Every graph runs with CPU fallback forbidden: see openModel. */
describe.skipIf(!available)('WebGPU', () => {
  const config = { ...SMALL, layers: 1, dim: 64, ffnHidden: 64, depthDim: 32, depthLayers: 1 };
  const weights = randomWeights(config);

  const errorOf = (a: Outlook, b: Outlook, seats: number): number => {
    const awake = (outlook: Outlook): Float32Array =>
      (outlook.hidden.data as Float32Array).subarray(0, seats * config.dim);
    return largestError(awake(a), awake(b));
  };
  const columnsOf = (count: number, next: () => number): Int32Array =>
    Int32Array.from(Array.from({ length: count }, () => [...randomColumn(config, next)]).flat());

  it('keeps a past on the device that is the CPU’s: growth, window, moving to the front', async () => {
    const short = { ...config, context: 40 };
    const [cpu, gpu] = [
      await openModel(short, weights),
      await openModel(short, weights, { provider: 'webgpu' }),
    ];
    const next = uniform(1);
    const [ours, theirs] = [gpu.newCache(1), cpu.newCache(1)];
    // 128 rows fill the buffers; those behind are at the front again.
    for (let columns = 0; columns < 280; columns += ours.longestRun) {
      const tokens = columnsOf(ours.longestRun, next);
      const a = await gpu.consume(ours, { tokens, steps: ours.longestRun }, [true]);
      const b = await cpu.consume(theirs, { tokens, steps: ours.longestRun }, [true]);
      expect(errorOf(a, b, 1)).toBeLessThan(1e-4);
    }
    ours.dispose();
    await gpu.close();
    await cpu.close();
  }, 120_000);

  it('keeps seats apart, at rest and in snapshots', async () => {
    const [cpu, gpu] = [
      await openModel(config, weights),
      await openModel(config, weights, { provider: 'webgpu' }),
    ];
    const next = uniform(2);
    const [ours, theirs] = [gpu.newCache(2), cpu.newCache(2)];
    for (let tick = 0; tick < 30; tick++) {
      const moving = [true, tick % 3 > 0];
      const tokens = columnsOf(2, next);
      const a = await gpu.consume(ours, { tokens, steps: 1 }, moving);
      const b = await cpu.consume(theirs, { tokens, steps: 1 }, moving);
      expect(errorOf(a, b, moving[1] ? 2 : 1)).toBeLessThan(1e-4);
    }
    expect([...ours.positions]).toEqual([30, 20]);

    const [taken, expected] = [await ours.snapshot(1), await theirs.snapshot(1)];
    const [other, otherExpected] = [gpu.newCache(3), cpu.newCache(3)];
    await other.restore(0, taken);
    await otherExpected.restore(0, expected);
    const tokens = columnsOf(3, next);
    const a = await gpu.consume(other, { tokens, steps: 1 }, [true, true, true]);
    const b = await cpu.consume(otherExpected, { tokens, steps: 1 }, [true, true, true]);
    expect(errorOf(a, b, 3)).toBeLessThan(1e-4);
    await expect(other.restore(0, expected)).rejects.toThrow('another provider');
    await expect(
      gpu.consume(other, { tokens: columnsOf(6, next), steps: 2 }, [true, true, true]),
    ).rejects.toThrow('one seat');

    // A seat that leaves, one that goes elsewhere, and two that are new.
    const [moved, movedExpected] = [
      await other.rearranged([2, -1, 0, -1]),
      await otherExpected.rearranged([2, -1, 0, -1]),
    ];
    expect([...moved.positions]).toEqual([1, 0, 21, 0]);
    for (let tick = 0; tick < 3; tick++) {
      const all = { tokens: columnsOf(4, next), steps: 1 };
      const [c, d] = [
        await gpu.consume(moved, all, [true, true, true, true]),
        await cpu.consume(movedExpected, all, [true, true, true, true]),
      ];
      expect(errorOf(c, d, 4)).toBeLessThan(1e-4);
    }
    for (const resource of [taken, other, ours, moved]) resource.dispose();
    await gpu.close();
    await cpu.close();
  }, 120_000);

  it.each(['q8', 'mixed'] as const)(
    'computes what the CPU does in tier %s',
    async (tier) => {
      const two = { ...config, layers: 2 };
      const own = randomWeights(two, 6);
      // The software GPU has no float16.
      const gpu = await openModel(two, own, { provider: 'webgpu', tier, activations: 'f32' });
      // With the same blocks, and activations as they are.
      const { storage } = storagePlan(tier, 'webgpu', 'f32');
      const cpu = await openModel(two, own, { tier, plan: { storage, accuracy: 0 } });
      const next = uniform(6);
      const [ours, theirs] = [gpu.newCache(1), cpu.newCache(1)];
      // Several columns at once take other kernels than one does.
      for (const steps of [1, 1, ours.longestRun, 5, 1]) {
        const tokens = columnsOf(steps, next);
        const a = await gpu.consume(ours, { tokens, steps }, [true]);
        const b = await cpu.consume(theirs, { tokens, steps }, [true]);
        expect(errorOf(a, b, 1)).toBeLessThan(1e-4);
        const [logits, expected] = [a.textLogits.data as Float32Array, b.textLogits.data as Float32Array];
        expect(largestError(logits, expected)).toBeLessThan(1e-4);
      }
      ours.dispose();
      await gpu.close();
      await cpu.close();
    },
    120_000,
  );

  it('converses with 4- and 8-bit weights', async () => {
    // The software GPU has no float16.
    const gpu = await openModel(config, weights, { provider: 'webgpu', tier: 'mixed', activations: 'f32' });
    const generator = new Generator(gpu, { seats: 2, tokens: TOKENS });
    const codes = Int32Array.from({ length: 24 }, (_, i) => i % config.card);
    const primed = await generator.prime({ voice: { kind: 'codes', codes }, text: [9, 10] });
    await generator.attach(0, primed, { seed: 1, sampling: LIVELY });
    await generator.attach(1, primed, { seed: 1, sampling: GREEDY });
    for (let frame = 0; frame < 2; frame++) {
      const spoken = await generator.step([null, null]);
      for (const seat of spoken)
        expect(seat!.codes.every((code) => code >= 0 && code < config.card)).toBe(true);
    }
    const refresh = await generator.refresh(0, primed, 2);
    await refresh.advance(10);
    await refresh.swap();
    expect(generator.position(0)).toBe(primed.columns.count + 2);
    await gpu.close();
  }, 120_000);
});
