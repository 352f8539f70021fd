/** The same conversation on WebGPU, on a real GPU or a software one: conversations in device memory, and moved there. */
import { describe, expect, it } from 'vitest';
import { PersonaPlex } from '../../../sidecar/personaplex/duplex/model';
import { webgpuRuns } from '../runtime/webgpu';
import { importTinyModel, playerFrame, tinyBrief } from '../tiny-model';

const runs = await webgpuRuns();

/** Two NPCs, one that leaves, and a role that changes. */
async function conversation(provider: 'cpu' | 'webgpu'): Promise<string> {
  const tiny = await importTinyModel({ context: 160, provider });
  const model = new PersonaPlex({ folder: tiny.folder, voices: [tiny.voices], realtime: false });
  try {
    await model.start();
    const options = { seed: 1, greet: false };
    const leaves = await model.seat(tinyBrief({ prompt: 'you guard.' }), options);
    const stays = await model.seat(tinyBrief(), options);
    const said: string[] = [];
    for (let n = 0; n < 12; n++) {
      if (n === 4) model.unseat(leaves);
      if (n === 8) await model.update(stays, tinyBrief({ prompt: 'you guard it.' }));
      const seats = n < 4 ? [leaves, stays] : [stays];
      const outputs = await model.step(seats.map((seat) => ({ seat, ear: 'player', pcm: playerFrame(n) })));
      said.push(outputs.map(({ text }) => text).join('|'));
    }
    return said.join('\n');
  } finally {
    await model.stop();
    tiny.remove();
  }
}

describe.runIf(runs)('a conversation on WebGPU', () => {
  it('is that on the CPU', async () => {
    const [gpu, cpu] = [await conversation('webgpu'), await conversation('cpu')];
    expect(gpu).toBe(cpu);
    expect(gpu.trim()).not.toBe('');
  }, 180_000);

  it('is timed, young and old, before anybody is let in', async () => {
    const tiny = await importTinyModel({ context: 160, provider: 'webgpu' });
    const model = new PersonaPlex({ folder: tiny.folder, voices: [tiny.voices] });
    try {
      await model.start();
      expect(model.info.capacity.npcs).toBeGreaterThanOrEqual(1);
      expect(model.info.capacity.why).toMatch(/^One NPC takes up to [\d.]+ ms/);
    } finally {
      await model.stop();
      tiny.remove();
    }
  }, 180_000);
});
