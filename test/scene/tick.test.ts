import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_MS } from '../../sidecar/audio';
import { SteppedClock } from '../../sidecar/scene';
import { GRACE_MS, LEAD_MS, SENDING_MS, STANDING_FRAMES, Ticker } from '../../sidecar/scene/tick';

interface Beat {
  at: number;
  due: number;
  mic: boolean;
}

/** A ticker with a microphone whose frames are only counted. */
class Bench {
  readonly clock = new SteppedClock();
  readonly beats: Beat[] = [];
  waiting = 0;
  dropped = 0;
  /** How long a beat takes. */
  modelMs = 0;
  readonly ticker: Ticker;
  readonly source = {
    frames: () => this.waiting,
    drop: () => {
      this.waiting--;
      this.dropped++;
    },
  };

  constructor() {
    this.ticker = new Ticker(this.clock, (due, mic) => {
      this.beats.push({ at: this.clock.now(), due, mic });
      if (mic) this.waiting--;
      if (this.modelMs === 0) return Promise.resolve();
      return new Promise((resolve) => this.clock.after(this.modelMs, resolve));
    });
  }

  /** One frame of the microphone arrives; a third waiting pushes the oldest out, as the jitter buffer does. */
  frame(count = 1): void {
    this.waiting = Math.min(2, this.waiting + count);
    this.ticker.packet();
  }

  async until(at: number): Promise<void> {
    while (this.clock.now() < at) {
      this.clock.advanceTo(Math.min(at, this.clock.now() + 1));
      // A beat and its aftermath are a few microtasks.
      for (let i = 0; i < 4; i++) await Promise.resolve();
    }
  }

  /** Runs a timetable: a frame at each of these times. */
  async play(arrivals: readonly number[], until: number): Promise<void> {
    for (const at of arrivals) {
      await this.until(at);
      this.frame();
      for (let i = 0; i < 4; i++) await Promise.resolve();
    }
    await this.until(until);
  }

  get times(): number[] {
    return this.beats.map((beat) => beat.at);
  }
}

const every = (ms: number, count: number, first = ms): number[] =>
  Array.from({ length: count }, (_, i) => first + i * ms);

describe('a tick without a microphone', () => {
  it('comes every 80 ms, the first one frame after the start', async () => {
    const bench = new Bench();
    bench.ticker.start();
    await bench.until(400);
    expect(bench.times).toEqual([80, 160, 240, 320, 400]);
    expect(bench.ticker.counts).toEqual({ ticks: 5, timerTicks: 5, skipped: 0 });
  });

  it('does not drift when timers fire late', async () => {
    const bench = new Bench();
    const late = {
      now: () => bench.clock.now(),
      after: (ms: number, fn: () => void) => bench.clock.after(ms + 7, fn),
    };
    const times: number[] = [];
    const ticker = new Ticker(late, () => {
      times.push(late.now());
      return Promise.resolve();
    });
    ticker.start();
    await bench.until(80_050);
    expect(times.length).toBe(1000);
    expect(times.at(-1)).toBe(80_007);
  });

  it('stops, and begins anew', async () => {
    const bench = new Bench();
    bench.ticker.start();
    await bench.until(100);
    bench.ticker.stop();
    await bench.until(1000);
    bench.ticker.start();
    await bench.until(1100);
    expect(bench.times).toEqual([80, 1080]);
    expect(bench.clock.pending).toBe(1);
  });
});

describe('a tick with a microphone', () => {
  const started = () => {
    const bench = new Bench();
    bench.ticker.follow(bench.source);
    bench.ticker.start();
    return bench;
  };

  it('comes the moment its frame is whole', async () => {
    const bench = started();
    await bench.play(every(80, 10), 820);
    expect(bench.times).toEqual(every(80, 10));
    expect(bench.beats.every((beat) => beat.mic && beat.due === beat.at)).toBe(true);
  });

  it.each([
    ['10 ms early and late by turns', [90, 150, 250, 310, 410, 470]],
    ['nearly half a frame late', [119, 199, 279, 359]],
    ['half a frame early', [40, 120, 200, 280]],
    ['two frames at a time', [80, 80, 240, 240, 400, 400, 560, 560]],
  ])('leaves every frame its own tick: %s', async (_, arrivals) => {
    const bench = started();
    await bench.play(arrivals, arrivals.at(-1)! + 45);
    expect(bench.beats.length).toBe(arrivals.length);
    expect(bench.ticker.counts.timerTicks).toBe(0);
    expect(bench.dropped).toBe(0);
  });

  it('settles to a microphone that comes in lumps of 100 ms', async () => {
    const bench = started();
    const arrivals = Array.from({ length: 500 }, (_, i) => Math.ceil(((i + 1) * 80) / 100) * 100);
    await bench.play(arrivals, arrivals.at(-1)!);
    expect(bench.ticker.counts.timerTicks).toBeLessThanOrEqual(1);
    expect(bench.dropped).toBeLessThanOrEqual(1);
    expect(Math.abs(bench.beats.length - 500)).toBeLessThanOrEqual(1);
  });

  it.each([-300, -50, 50, 300])(
    'follows a microphone whose clock is off by %i ppm for an hour',
    async (ppm) => {
      const bench = started();
      const frames = 45_000;
      const arrivals = every(FRAME_MS / (1 + ppm * 1e-6), frames);
      for (const at of arrivals) {
        bench.clock.advanceTo(at);
        bench.frame();
        for (let i = 0; i < 4; i++) await Promise.resolve();
      }
      expect(bench.ticker.counts).toEqual({ ticks: frames, timerTicks: 0, skipped: 0 });
      expect(bench.dropped).toBe(0);
    },
  );

  it('goes on by the timer when it stops sending: after the grace while it may be late, then on the slot', async () => {
    const bench = started();
    await bench.play(every(80, 5), 800);
    const timer = bench.beats.filter((beat) => !beat.mic).map((beat) => beat.at);
    // Its last packet came at 400: until 600 the timer waits half a frame for it.
    expect(timer.slice(0, 2)).toEqual([480 + GRACE_MS, 560 + GRACE_MS]);
    expect(timer.slice(2)).toEqual([640, 720, 800]);
    expect(SENDING_MS).toBe(200);
  });

  it('does not tick twice when microphone and timer meet', async () => {
    for (let late = GRACE_MS - 3; late <= GRACE_MS + 3; late++) {
      const bench = started();
      await bench.play([80, 160, 240 + late, ...every(80, 20, 320)], 1870);
      expect(bench.beats.length, `${late} ms late`).toBe(23);
      for (let i = 1; i < 23; i++)
        expect(bench.times[i]! - bench.times[i - 1]!, `${late} ms late`).toBeGreaterThanOrEqual(
          LEAD_MS - 1e-6,
        );
    }
  });

  it('builds no latency of frames that came too late: the wait is dropped and counted', async () => {
    const bench = started();
    const regular = every(80, 40, 400);
    // A hitch of 150 ms: the frames of 160 and 240 come together at 310.
    await bench.play([80, 310, 310, 320, ...regular], 400 + 40 * 80 - 40);
    const last = bench.beats.slice(-10);
    expect(last.every((beat) => beat.mic)).toBe(true);
    // Ticks and time agree, give or take the one in flight...
    expect(Math.abs(bench.beats.length - bench.clock.now() / FRAME_MS)).toBeLessThanOrEqual(1);
    // ...and every frame is used when it comes.
    expect(last.map((beat) => beat.at % 80)).toEqual(Array(10).fill(0));
    expect(bench.dropped).toBeGreaterThan(0);
  });

  it('waits for the slot with a frame that came a whole frame too early, and drops one if all do', async () => {
    const bench = started();
    await bench.until(80);
    bench.frame(2);
    for (let i = 1; i < 20; i++) {
      await bench.until(80 + i * 80);
      bench.frame();
    }
    const early = bench.beats.filter((beat) => beat.at % 80 === LEAD_MS);
    expect(early.length).toBe(STANDING_FRAMES - 1);
    expect(bench.dropped).toBe(1);
  });

  it('holds a sender that sends too fast to one tick a slot', async () => {
    const bench = started();
    await bench.play(every(20, 400), 8000);
    expect(bench.beats.length).toBeLessThanOrEqual(8000 / FRAME_MS + 1);
  });

  it('takes up a microphone again at any phase without ever running ahead of time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 12 }),
        async (gaps) => {
          const bench = started();
          let at = 80;
          const arrivals: number[] = [];
          for (const gap of gaps) {
            arrivals.push(at, at + 80, at + 160, at + 240);
            at += 320 + gap;
          }
          await bench.play(arrivals, at + 400);
          const slots = bench.clock.now() / FRAME_MS;
          // Leaning towards arrivals moves the grid by less than half a frame each time the microphone comes back.
          expect(bench.beats.length).toBeLessThanOrEqual(slots + 1 + gaps.length / 2);
          expect(bench.beats.length).toBeGreaterThanOrEqual(slots - 1 - gaps.length / 2);
          for (let i = 1; i < bench.beats.length; i++)
            expect(bench.times[i]! - bench.times[i - 1]!).toBeGreaterThanOrEqual(LEAD_MS - 1e-6);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('a slow model', () => {
  it('never has two ticks at once, and skips what it cannot do', async () => {
    const bench = new Bench();
    bench.modelMs = 200;
    bench.ticker.start();
    await bench.until(4000);
    for (let i = 1; i < bench.times.length; i++)
      expect(bench.times[i]! - bench.times[i - 1]!).toBeGreaterThanOrEqual(200);
    const { ticks, skipped } = bench.ticker.counts;
    expect(ticks).toBe(20);
    // The slots the last tick takes up are counted when it ends.
    expect(ticks + skipped).toBeGreaterThanOrEqual(4000 / FRAME_MS - 3);
  });

  it('catches a single slow tick up without skipping', async () => {
    const bench = new Bench();
    bench.ticker.start();
    await bench.until(160);
    bench.modelMs = 100;
    await bench.until(240);
    bench.modelMs = 0;
    await bench.until(560);
    expect(bench.times).toEqual([80, 160, 240, 340, 400, 480, 560]);
    expect(bench.ticker.counts.skipped).toBe(0);
  });

  it('does not try to catch up on a minute asleep', async () => {
    const bench = new Bench();
    bench.ticker.start();
    await bench.until(160);
    bench.modelMs = 60_000;
    await bench.until(241);
    bench.modelMs = 0;
    await bench.until(60_500);
    expect(bench.times).toEqual([80, 160, 240, 60_240, 60_320, 60_400, 60_480]);
    expect(bench.ticker.counts.skipped).toBe(749);
  });
});
