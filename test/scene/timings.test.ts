import { describe, expect, it } from 'vitest';
import { Timings } from '../../sidecar/scene/timings';

describe('timings', () => {
  it('are zero before the first', () => {
    expect(new Timings(125).summary()).toEqual({ p50: 0, p99: 0, max: 0 });
  });

  it('are nearest-rank percentiles of the last ticks only', () => {
    const timings = new Timings(100);
    timings.add(1e6);
    for (let i = 1; i <= 100; i++) timings.add(i);
    expect(timings.summary()).toEqual({ p50: 50, p99: 99, max: 100 });
  });
});
