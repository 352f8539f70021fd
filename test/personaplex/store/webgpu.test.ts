/** Replaying the published answers for a model made for a GPU, on a real one or a software one. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCheckpoint, importModel, synthesiseCheckpoint } from '../../../sidecar/personaplex/import';
import { openModel, replayReference, type ReferenceReport } from '../../../sidecar/personaplex/store';
import { SMALL_LM, SMALL_MIMI, temporaryFolder } from '../import/build';
import { webgpuRuns } from '../runtime/webgpu';

const runs = await webgpuRuns();

describe.runIf(runs)('the published answers, of a model for WebGPU', () => {
  let checkpoint: string;
  let models: string;
  beforeAll(() => {
    [checkpoint, models] = [temporaryFolder(), temporaryFolder()];
    const lm = { ...SMALL_LM, card: 2048, textCard: 32000 };
    synthesiseCheckpoint(checkpoint, { lm, mimi: { ...SMALL_MIMI, bins: 2048 }, seed: 4 });
  });
  afterAll(() => [checkpoint, models].forEach((folder) => rmSync(folder, { recursive: true })));

  async function replay(provider: 'cpu' | 'webgpu'): Promise<ReferenceReport> {
    const files = findCheckpoint(checkpoint);
    const origin = { from: 'a test' };
    await importModel({
      files,
      models,
      id: provider,
      name: provider,
      tier: 'f32',
      provider,
      origin,
      threads: 0,
    });
    return replayReference(openModel(provider, models));
  }

  it('are those on the CPU; the codec’s to the bit, for that is where it runs', async () => {
    const [gpu, cpu] = [await replay('webgpu'), await replay('cpu')];
    expect(gpu.codes).toEqual(cpu.codes);
    expect(gpu.audioError).toBe(cpu.audioError);
    expect(gpu.hiddenCosine).toBeCloseTo(cpu.hiddenCosine, 4);
  }, 180_000);
});
