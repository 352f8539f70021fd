import { describe, expect, it } from 'vitest';
import type { SeatInput } from '../../sidecar/duplex';
import { SharedModel } from '../../sidecar/scene';
import { MemoryCast, persona } from './harness';
import { ScriptedModel } from './scripted-model';

const cast = new MemoryCast(persona('aldric'));
const brief = cast.brief(cast.persona('aldric'), {});
const inputs = (...seats: number[]): SeatInput[] =>
  seats.map((seat) => ({ seat, ear: `e${seat}`, pcm: null }));

async function shared(seats: number) {
  const model = new ScriptedModel();
  const sharing = new SharedModel(model);
  for (let i = 0; i < seats; i++) await sharing.seat(brief, { seed: i, greet: false });
  return { model, sharing };
}

describe('a model shared by several scenes', () => {
  it('steps what waits together, in the order it came, and gives everyone their own', async () => {
    const { model, sharing } = await shared(5);
    let open = () => {};
    model.beforeStep = () => new Promise((resolve) => (open = resolve));
    const first = sharing.step(inputs(3));
    const second = sharing.step(inputs(5, 1));
    const third = sharing.step(inputs(2));
    model.beforeStep = null;
    open();
    const seats = (await Promise.all([first, second, third])).map((outputs) => outputs.map((o) => o.seat));
    expect(seats).toEqual([[3], [5, 1], [2]]);
    expect(model.steps.map((step) => step.map((i) => i.seat))).toEqual([[3], [5, 1, 2]]);
  });

  it('never overlaps two steps', async () => {
    const { model, sharing } = await shared(4);
    model.beforeStep = () => new Promise((resolve) => setTimeout(resolve, 1));
    // The scripted model throws when steps overlap.
    const scenes = [1, 2, 3, 4].map(async (seat) => {
      for (let i = 0; i < 20; i++) await sharing.step(inputs(seat));
    });
    await Promise.all(scenes);
    expect(model.steps.flat().length).toBe(80);
    expect(model.steps.length).toBeLessThan(80);
  });

  it('lets a failing step fail for those in it only', async () => {
    const { model, sharing } = await shared(3);
    let fail = (_: Error) => {};
    model.beforeStep = () => new Promise((_, reject) => (fail = reject));
    const first = sharing.step(inputs(1));
    const second = sharing.step(inputs(2));
    model.beforeStep = null;
    fail(new Error('host is down'));
    await expect(first).rejects.toThrow('host is down');
    await expect(second).resolves.toMatchObject([{ seat: 2 }]);
  });

  it('lets its callers read their outputs before the next step overwrites them', async () => {
    const { model, sharing } = await shared(2);
    const order: string[] = [];
    model.beforeStep = () => void order.push('step');
    await Promise.all([
      sharing.step(inputs(1)).then(() => order.push('read')),
      sharing.step(inputs(2)).then(() => order.push('read')),
    ]);
    expect(order).toEqual(['step', 'read', 'step', 'read']);
  });

  it('refuses more seats than this machine sustains, those being primed counted', async () => {
    const model = new ScriptedModel();
    model.info.capacity.npcs = 2;
    const sharing = new SharedModel(model);
    const seats = await Promise.allSettled(
      [1, 2, 3].map((seed) => sharing.seat(brief, { seed, greet: false })),
    );
    expect(seats.map((s) => s.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((seats[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'capacity' });
    sharing.unseat(1);
    await expect(sharing.seat(brief, { seed: 4, greet: false })).resolves.toBe(3);
  });
});
