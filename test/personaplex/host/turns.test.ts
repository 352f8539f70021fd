/** Who goes first in the host. */
import { describe, expect, it } from 'vitest';
import { Pace, Turns } from '../../../sidecar/personaplex/host/turns';

describe('turns', () => {
  it('never overlap, and put what is asked before slices', async () => {
    const turns = new Turns();
    const done: string[] = [];
    let running = 0;
    const work = (name: string) => async () => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      done.push(name);
    };
    await Promise.all([
      turns.slice(work('slice 1')),
      turns.slice(work('slice 2')),
      turns.ask(work('step 1')),
      turns.ask(work('step 2')),
    ]);
    // The first was begun before anything else was there.
    expect(done).toEqual(['slice 1', 'step 1', 'step 2', 'slice 2']);
  });

  it('go on after a failure, which reaches who asked', async () => {
    const turns = new Turns();
    const failed = turns.ask(() => Promise.reject(new Error('no')));
    const after = turns.ask(() => Promise.resolve(1));
    await expect(failed).rejects.toThrow('no');
    expect(await after).toBe(1);
  });
});

describe('the pace of long work', () => {
  it('is not limited while nobody is stepped, nor offline', () => {
    expect(new Pace(true).columns(0)).toBe(Infinity);
    const offline = new Pace(false);
    offline.stepped(10, 0);
    expect(offline.columns(1)).toBe(Infinity);
  });

  it('fits slices into what a step leaves of a frame', () => {
    const pace = new Pace(true);
    pace.stepped(25, 1000);
    expect(pace.columns(1001)).toBe(1);
    pace.sliced(10, 20);
    expect(pace.columns(1001)).toBe((80 - 15 - 25) / 2);
    // A machine that is too slow for its NPCs still gets on, a little at a time.
    for (let n = 0; n < 50; n++) pace.stepped(200, 1000);
    expect(pace.columns(1001)).toBe(5);
    expect(pace.columns(2000)).toBe(Infinity);
  });
});
