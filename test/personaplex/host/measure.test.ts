import { describe, expect, it } from 'vitest';
import { stepsOf } from '../../../sidecar/personaplex/host/measure';
import { importTinyModel, TINY_LM } from '../tiny-model';
import { LanguageModel } from '../../../sidecar/personaplex/runtime';

const times = (frame: number, codec: number) => ({ frame, codec });

describe('what a frame takes', () => {
  it('is counted with a full window, for every NPC', () => {
    // A sixth of the window costs 2 ms.
    expect(stepsOf(times(30, 8), times(41, 16), times(32, 8), 6)).toEqual({ stepMs: 42, addedMs: 23 });
  });

  it('is never less for a second one than its codec takes, whatever was measured', () => {
    expect(stepsOf(times(30, 8), times(29, 16), times(29.5, 8), 6)).toEqual({ stepMs: 30, addedMs: 8 });
  });
});

describe('a conversation aged for measuring', () => {
  it('stands where one would that had lived so long, and goes on from there', async () => {
    const tiny = await importTinyModel();
    const files = { temporal: `${tiny.folder}/temporal.onnx`, depth: `${tiny.folder}/depth.onnx` };
    const model = await LanguageModel.open({ config: TINY_LM, ...files }, { provider: 'cpu' });
    try {
      const cache = model.newCache(2);
      cache.skip(1, 20);
      await model.consume(cache, { tokens: new Int32Array(2 * 17), steps: 1 }, [true, true]);
      expect([...cache.positions]).toEqual([1, 21]);
      expect((await cache.snapshot(1)).position).toBe(21);
    } finally {
      await model.close();
      tiny.remove();
    }
  });
});
