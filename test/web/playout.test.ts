import { describe, expect, it } from 'vitest';
import { FRAME, Playout, STEP } from '../../plugins/web/src/playback/playout';

const RATE = 24_000;
const MS = 24;
/** What a worklet pulls at once: 5 ms. */
const CHUNK = 120;

/** An unbroken 200 Hz tone, frame by frame. */
function tone(n: number, hz = 200): Float32Array {
  return Float32Array.from(
    { length: FRAME },
    (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * (n * FRAME + i)) / RATE),
  );
}
function pull(playout: Playout, samples: number): Float32Array {
  const out = new Float32Array(samples);
  for (let at = 0; at < samples; at += CHUNK) playout.pull(out.subarray(at, Math.min(samples, at + CHUNK)));
  return out;
}
/** The largest step between neighbouring samples: what a click is. A 200 Hz tone at 0.5 steps by 0.027 at most, a 5 ms ramp adds 0.004. */
function steepest(samples: Float32Array): number {
  let steepest = 0;
  for (let i = 1; i < samples.length; i++)
    steepest = Math.max(steepest, Math.abs(samples[i]! - samples[i - 1]!));
  return steepest;
}
const SMOOTH = 0.035;
const sameSamples = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((sample, i) => sample === b[i]);
const isSilent = (samples: Float32Array): boolean => samples.every((sample) => sample === 0);

/**
 * Plays `seconds` of a stream whose frame `n` arrives at `arrival(n)` ms. `ratio`: how much faster the device's
 * clock runs than the sidecar's. Bends are applied as a resampler would, by pulling more or less.
 */
function play(
  playout: Playout,
  seconds: number,
  arrival: (n: number) => number,
  frame: (n: number) => Float32Array | null,
  ratio = 1,
): { heard: Float32Array; buffered: number[] } {
  const heard: number[] = [];
  const buffered: number[] = [];
  let n = 0;
  let credit = 0;
  for (let ms = 0; ms < seconds * 1000; ms++) {
    for (; arrival(n) <= ms; n++) playout.push(n, frame(n));
    credit += MS * ratio * (1 + playout.bendPpm * 1e-6);
    const block = new Float32Array(Math.floor(credit));
    credit -= block.length;
    playout.pull(block);
    heard.push(...block);
    buffered.push(playout.stats.bufferedMs);
  }
  return { heard: Float32Array.from(heard), buffered };
}
const onTime = (n: number): number => n * 80;
/** A reproducible disorder, 0..1. */
const chance = (n: number): number => (((n * 2654435761) >>> 0) % 1000) / 1000;

describe('Playout, with frames on time', () => {
  it('starts 50 ms after the first frame and plays every sample of the tone after a 5 ms ramp', () => {
    const playout = new Playout();
    const { heard } = play(playout, 2, onTime, tone);
    const start = heard.findIndex((sample) => sample !== 0);
    expect(start / MS).toBeGreaterThanOrEqual(50);
    expect(start / MS).toBeLessThan(56);
    // The ramp's first sample is sin(0): playback began one sample before the first that is not zero.
    const stream = new Float32Array(20 * FRAME);
    for (let n = 0; n < 20; n++) stream.set(tone(n), n * FRAME);
    const settled = 200;
    expect(
      sameSamples(heard.subarray(start - 1 + settled, start - 1 + 20_000), stream.subarray(settled, 20_000)),
    ).toBe(true);
    expect(playout.stats).toMatchObject({ underruns: 0, lost: 0, skipped: 0, flushed: 0 });
  });

  it('plays silent frames as silence and the speech after them from its first sample', () => {
    const playout = new Playout();
    const { heard } = play(playout, 1, onTime, (n) => (n < 3 ? null : tone(0)));
    const first = heard.findIndex((sample) => sample !== 0);
    expect(heard.subarray(first - 1, first - 1 + 100)).toEqual(tone(0).subarray(0, 100));
  });

  it('marks the steps of sounding frames and the two ends of silent ones, at the samples they are', () => {
    const marks: string[] = [];
    let base = 0;
    const playout = new Playout((n, s, offset) => marks.push(`${n}:${s}@${base + offset}`));
    playout.push(0, tone(0));
    playout.push(1, null);
    playout.push(2, tone(2));
    for (; base < 2 * FRAME + CHUNK; base += CHUNK) playout.pull(new Float32Array(CHUNK));
    expect(marks).toEqual([
      '0:0@0', `0:${STEP}@480`, '0:960@960', '0:1440@1440', '0:1920@1920',
      '1:0@1920', '1:1920@3840',
      '2:0@3840',
    ]); // prettier-ignore
  });
});

describe('Playout, with frames late', () => {
  it('runs dry without a click, counts it, and comes back with more in hand', () => {
    const playout = new Playout();
    // Frames 10 and on are 200 ms late: more than is in hand.
    const { heard } = play(playout, 3, (n) => n * 80 + (n < 10 ? 0 : 200), tone);
    expect(playout.stats.underruns).toBe(1);
    expect(playout.stats.targetMs).toBe(70);
    expect(steepest(heard)).toBeLessThan(SMOOTH);
    const dry = heard.findIndex((_, i) => i > 5000 && isSilent(heard.subarray(i, i + 100 * MS)));
    expect(dry).toBeGreaterThan(0);
  });

  it('learns the jitter of its network: after a few underruns there are no more', () => {
    const playout = new Playout();
    const jittery = (n: number): number => n * 80 + 90 * chance(n);
    play(playout, 30, jittery, (n) => (n % 20 < 8 ? null : tone(n)));
    const learnt = playout.stats.underruns;
    expect(learnt).toBeLessThanOrEqual(4);
    expect(playout.stats.targetMs).toBeLessThanOrEqual(160);
  });
});

describe('Playout, with too much buffered', () => {
  it('skips a burst down to its target with no click, counting the frames', () => {
    const playout = new Playout();
    const stalled = (n: number): number => (n >= 10 && n < 20 ? 1600 : n * 80);
    const { heard, buffered } = play(playout, 4, stalled, tone);
    expect(playout.stats.skipped).toBeGreaterThan(0);
    expect(steepest(heard)).toBeLessThan(SMOOTH);
    expect(Math.max(...buffered)).toBeLessThan(480);
  });

  it('takes a surplus out of silence', () => {
    const playout = new Playout();
    // From frame 25 on everything comes 150 ms sooner than before.
    const sooner = (n: number): number => (n < 25 ? n * 80 + 150 : n * 80);
    const { buffered } = play(playout, 20, sooner, (n) => (n % 20 < 10 ? tone(n) : null));
    const end = buffered.slice(-80);
    expect(Math.min(...end)).toBeLessThan(65);
    expect(playout.stats).toMatchObject({ skipped: 0, underruns: 0 });
  });
});

describe('Playout, with clocks that differ', () => {
  for (const ppm of [-500, 500]) {
    it(`bounds the delay through ten minutes at ${ppm} ppm, with neither underrun nor skip`, () => {
      const playout = new Playout();
      let low = Infinity;
      let high = 0;
      let credit = 0;
      const block = new Float32Array(CHUNK + 2);
      for (let tick = 0; tick < 600 * 12.5; tick++) {
        playout.push(tick, tick % 50 < 25 ? SPEECH : null);
        credit += FRAME * (1 + ppm * 1e-6) * (1 + playout.bendPpm * 1e-6);
        while (credit >= CHUNK) {
          playout.pull(block.subarray(0, CHUNK));
          credit -= CHUNK;
        }
        if (tick > 500) {
          low = Math.min(low, playout.stats.bufferedMs);
          high = Math.max(high, playout.stats.bufferedMs);
        }
      }
      expect(low).toBeGreaterThan(10);
      expect(high).toBeLessThan(110);
      expect(playout.stats).toMatchObject({ underruns: 0, skipped: 0 });
    });
  }
  const SPEECH = tone(0);
});

describe('Playout, with frames lost', () => {
  it('joins over the gap without a click and counts what is missing', () => {
    const playout = new Playout();
    const lost = (n: number): boolean => n === 8 || n === 9;
    const out: number[] = [];
    for (let n = 0; n < 20; n++) {
      // A quarter of a period is missing too, so that plain joining would jump from a crest to zero.
      if (!lost(n)) playout.push(n, n < 8 ? tone(n, 203) : tone(n));
      if (n > 2 && !lost(n)) out.push(...pull(playout, FRAME));
    }
    expect(playout.stats.lost).toBe(2);
    expect(steepest(Float32Array.from(out))).toBeLessThan(SMOOTH);
  });
});

describe('Playout.flush', () => {
  function playing(): Playout {
    const playout = new Playout();
    for (let n = 0; n < 3; n++) playout.push(n, tone(n));
    pull(playout, 1000);
    return playout;
  }

  it('fades out over the asked time and is silent after it, up to the frame named', () => {
    const playout = playing();
    const cut = playout.flush(3, 20);
    const heard = pull(playout, 3 * FRAME - 1000);
    expect(cut).toEqual({ n: 0, s: 1000 + 20 * MS });
    expect(isSilent(heard.subarray(20 * MS + 1))).toBe(true);
    expect(isSilent(heard.subarray(0, 15 * MS))).toBe(false);
    expect(steepest(heard)).toBeLessThan(SMOOTH);
    expect(playout.stats.flushed).toBe(3);
  });

  it('falls in a straight line', () => {
    const playout = new Playout();
    for (let n = 0; n < 3; n++) playout.push(n, new Float32Array(FRAME).fill(0.5));
    pull(playout, 1000);
    playout.flush(3, 10);
    const heard = pull(playout, 360);
    expect(heard[119]).toBeCloseTo(0.25, 5);
    expect(heard[239]).toBeCloseTo(0, 5);
  });

  it('keeps the clock: the frame named is played when it would have been', () => {
    const playout = playing();
    playout.flush(2, 20);
    const heard = pull(playout, 3 * FRAME - 1000);
    const again = heard.subarray(2 * FRAME - 1000);
    expect(isSilent(heard.subarray(20 * MS + 1, 2 * FRAME - 1000))).toBe(true);
    expect(Math.max(...again.subarray(0, 1000))).toBeGreaterThan(0.4);
    expect(steepest(heard)).toBeLessThan(SMOOTH);
  });

  it('marks nothing of what is flushed, so that no caption of it is shown and no ack sent', () => {
    const marks: number[] = [];
    const playout = new Playout((n, s) => marks.push(n * 10_000 + s));
    for (let n = 0; n < 3; n++) playout.push(n, tone(n));
    pull(playout, 1000);
    marks.length = 0;
    playout.flush(2, 20);
    pull(playout, 3 * FRAME - 1000);
    expect(marks[0]).toBe(20_000);
  });

  it('swallows frames before the named one that come late', () => {
    const playout = playing();
    playout.flush(5, 20);
    playout.push(3, tone(3));
    playout.push(4, tone(4));
    const heard = pull(playout, 5 * FRAME - 1000);
    expect(isSilent(heard.subarray(20 * MS + 1))).toBe(true);
  });

  it('tells nothing was cut when nothing was playing', () => {
    expect(new Playout().flush(7, 20)).toBeNull();
  });
});

describe('Playout.reset', () => {
  it('takes a stream that begins at frame 0 again', () => {
    const playout = new Playout();
    for (let n = 0; n < 3; n++) playout.push(n, tone(n));
    playout.reset();
    playout.push(0, tone(0));
    expect(playout.stats.bufferedMs).toBe(80);
    expect(playout.stats.lost).toBe(0);
  });
});
