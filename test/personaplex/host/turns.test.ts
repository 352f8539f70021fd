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
    expect(pace.columns(1001)).toBe(32);
    pace.sliced(10, 5);
    expect(pace.columns(1001)).toBe((80 - 15 - 25) / 0.5);
    // A machine that is too slow for its NPCs still gets on.
    for (let n = 0; n < 50; n++) pace.stepped(200, 1000);
    expect(pace.columns(1001)).toBe(32);
    expect(pace.columns(2000)).toBe(Infinity);
  });

  // A pass costs what a step does, for it reads the same weights, and a little for each column.
  it.each([
    [20, 15, 0.5],
    [36, 32, 1.4],
    [45, 40, 1.5],
    [60, 54, 1.5],
  ])(
    'catches up with 750 columns where a step takes %d ms and a pass %d and %f for each',
    (step, pass, each) => {
      const pace = new Pace(true);
      let [left, frames, now] = [750, 0, 0];
      while (left > 16 && frames < 1000) {
        const due = 80 * frames++;
        now = Math.max(now, due) + step;
        pace.stepped(step, now);
        left++;
        // What is asked goes first: slices fill the time until the next frame is due.
        while (left > 16 && now < 80 * frames) {
          const columns = Math.min(left, 128, pace.columns(now));
          const took = pass + each * columns;
          pace.sliced(columns, took);
          now += took;
          left -= columns;
        }
      }
      expect(frames).toBeLessThan(150);
    },
  );
});
