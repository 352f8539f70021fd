import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES, JitterBuffer } from '../../sidecar/audio';
import { concat, fitSine, noise, packets, sine, worstClick } from './signals';

/** A frame whose samples are all `value`. */
const flat = (value: number): Float32Array => new Float32Array(FRAME_SAMPLES).fill(value);

function pull(buffer: JitterBuffer): { ready: boolean; frame: Float32Array } {
  const frame = new Float32Array(FRAME_SAMPLES).fill(9);
  return { ready: buffer.pull(frame), frame };
}

describe('the queue of the microphone that drives the tick', () => {
  it('gives a frame as soon as its last sample is in, unchanged but for the fade at the very start', () => {
    const buffer = new JitterBuffer();
    const input = sine(440, 24_000, 2 * FRAME_SAMPLES);
    buffer.push(input.subarray(0, 1919));
    expect(buffer.frames).toBe(0);
    buffer.push(input.subarray(1919, 1920));
    expect(buffer.frames).toBe(1);
    const first = pull(buffer);
    expect(first.ready).toBe(true);
    expect(first.frame.subarray(120)).toEqual(input.subarray(120, 1920));
    buffer.push(input.subarray(1920));
    expect(pull(buffer).frame).toEqual(input.subarray(1920));
    expect(buffer.bufferedMs).toBe(0);
    expect(buffer.droppedFrames).toBe(0);
    expect(buffer.missingFrames).toBe(0);
  });

  it('keeps two whole frames and a partial one; the oldest goes first, and is counted', () => {
    const buffer = new JitterBuffer();
    for (let k = 1; k <= 6; k++) buffer.push(flat(k / 10));
    expect(buffer.frames).toBe(2);
    expect(buffer.droppedFrames).toBe(4);
    buffer.push(flat(0.7).subarray(1));
    expect(buffer.frames).toBe(2);
    expect(buffer.droppedFrames).toBe(4);
    expect(pull(buffer).frame[1919]).toBeCloseTo(0.5);
    expect(pull(buffer).frame[1919]).toBeCloseTo(0.6);
    expect(pull(buffer).ready).toBe(false);
  });

  it('cross-fades over 5 ms where a frame was dropped', () => {
    const buffer = new JitterBuffer();
    const input = sine(703, 24_000, 5 * FRAME_SAMPLES);
    buffer.push(input.subarray(0, FRAME_SAMPLES));
    const before = pull(buffer).frame;
    for (let k = 1; k <= 3; k++) buffer.push(input.subarray(k * FRAME_SAMPLES, (k + 1) * FRAME_SAMPLES));
    expect(buffer.droppedFrames).toBe(1);
    const after = pull(buffer).frame;
    expect(worstClick(concat([before.subarray(200), after]), 703, 24_000)).toBeLessThan(0.02);
    expect(after.subarray(120)).toEqual(input.subarray(2 * FRAME_SAMPLES + 120, 3 * FRAME_SAMPLES));
  });

  it('gives silence for a frame that has not come, faded into and out of, and counts it', () => {
    const buffer = new JitterBuffer();
    const input = sine(300, 24_000, 3 * FRAME_SAMPLES);
    buffer.push(input.subarray(0, FRAME_SAMPLES));
    const heard = [pull(buffer).frame, pull(buffer).frame, pull(buffer).frame];
    expect(heard[1]!.subarray(120)).toEqual(flat(0).subarray(120));
    expect(heard[2]).toEqual(flat(0));
    buffer.push(input.subarray(FRAME_SAMPLES, 2 * FRAME_SAMPLES));
    heard.push(pull(buffer).frame);
    expect(buffer.missingFrames).toBe(2);
    expect(worstClick(concat(heard).subarray(200), 300, 24_000)).toBeLessThan(0.02);
  });

  it('gives silence before the first sample, and does not count it as missing', () => {
    const buffer = new JitterBuffer();
    expect(pull(buffer)).toEqual({ ready: false, frame: flat(0) });
    expect(buffer.missingFrames).toBe(0);
  });

  it('drops the older of two frames when told to, with the same cross-fade', () => {
    const buffer = new JitterBuffer();
    const input = sine(703, 24_000, 3 * FRAME_SAMPLES);
    buffer.push(input.subarray(0, FRAME_SAMPLES));
    const before = pull(buffer).frame;
    buffer.push(input.subarray(FRAME_SAMPLES, 2 * FRAME_SAMPLES));
    expect(buffer.drop()).toBe(false);
    buffer.push(input.subarray(2 * FRAME_SAMPLES));
    expect(buffer.drop()).toBe(true);
    expect(buffer.droppedFrames).toBe(1);
    expect(worstClick(concat([before.subarray(200), pull(buffer).frame]), 703, 24_000)).toBeLessThan(0.02);
  });

  it('whatever comes in whatever order, never holds three frames and loses no sample uncounted', () => {
    const step = fc.oneof(fc.integer({ min: 0, max: 6000 }), fc.constant('pull' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffer = new JitterBuffer();
        let pushed = 0;
        let pulled = 0;
        for (const action of steps) {
          if (action === 'pull') {
            if (pull(buffer).ready) pulled++;
          } else {
            buffer.push(new Float32Array(action));
            pushed += action;
          }
          expect(buffer.frames).toBeLessThanOrEqual(2);
          const held = Math.round(buffer.bufferedMs * 24);
          expect(pushed).toBe(held + (pulled + buffer.droppedFrames) * FRAME_SAMPLES);
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** What every simulated microphone hears: a minute of 503 Hz, whose phase differs from frame to frame. */
const tone = sine(503, 24_000, 61 * 24_000);

/** A microphone of its own clock beside a tick of 80 ms, on a simulated clock. */
function simulate(o: {
  ppm: number;
  seconds: number;
  packetMs?: number;
  /** Lateness of packet k, ms. */
  jitter?: (k: number) => number;
}) {
  const { ppm, seconds, packetMs = 20, jitter = () => 0 } = o;
  let now = 0;
  const buffer = new JitterBuffer({ steered: true, now: () => now });
  const source = packets(tone, packetMs * 24);
  // 3 ms after the tick's grid.
  const arrival = (k: number): number => 3 + ((k + 1) * packetMs) / (1 + ppm * 1e-6) + jitter(k);
  const out: Float32Array[] = [];
  const drift: number[] = [];
  const waiting: number[] = [];
  let k = 0;
  for (let tick = 1; tick * 80 <= seconds * 1000; tick++) {
    for (; arrival(k) <= tick * 80; k++) {
      now = arrival(k);
      buffer.push(source[k]!);
    }
    now = tick * 80;
    const { ready, frame } = pull(buffer);
    if (ready || out.length > 0) out.push(frame);
    drift.push(buffer.driftPpm);
    waiting.push(buffer.bufferedMs);
  }
  return { buffer, out: concat(out), drift, waiting };
}
const seconds = (samples: Float32Array, from: number, to: number): Float32Array =>
  samples.subarray(from * 24_000, to * 24_000);

describe('the queue of another microphone', () => {
  it.each([-500, -100, 0, 100, 500])('finds a drift of %i ppm within 10 s and stays with it', (ppm) => {
    const { buffer, drift } = simulate({ ppm, seconds: 60 });
    for (const estimate of drift.slice(125)) expect(Math.abs(estimate - ppm)).toBeLessThan(25);
    expect(buffer.droppedFrames).toBe(0);
    expect(buffer.missingFrames).toBeLessThanOrEqual(2);
  });

  it.each([-500, 500])('a minute at %i ppm has no click and is a pure tone, moved by the drift', (ppm) => {
    const { out } = simulate({ ppm, seconds: 60 });
    expect(worstClick(out.subarray(200), 503, 24_000)).toBeLessThan(1e-4);
    const hz = 503 * (1 + ppm * 1e-6);
    for (let second = 15; second < 58; second++) {
      expect(fitSine(seconds(out, second, second + 1), hz, 24_000).sinad).toBeGreaterThan(70);
    }
  });

  it('holds through jitter of 0..15 ms, with no click', () => {
    const lateness = noise(3100, 7.5);
    const jitter = (k: number): number => 7.5 + lateness[k]!;
    const { buffer, out, drift } = simulate({ ppm: 300, seconds: 60, jitter });
    expect(buffer.droppedFrames).toBe(0);
    expect(worstClick(seconds(out, 5, 58), 503, 24_000)).toBeLessThan(1e-4);
    for (const estimate of drift.slice(375)) expect(Math.abs(estimate - 300)).toBeLessThan(100);
  });

  it.each([2.5, 10, 40, 60, 80, 120])('works with packets of %f ms', (packetMs) => {
    const { buffer, out } = simulate({ ppm: 200, seconds: 40, packetMs });
    expect(buffer.droppedFrames).toBe(0);
    expect(worstClick(out.subarray(200), 503, 24_000)).toBeLessThan(1e-4);
    expect(buffer.frames).toBeLessThanOrEqual(2);
  });

  it.each([20, 40, 60, 80, 120])('is heard when packets of %i ms come just before the tick', (packetMs) => {
    const { buffer, out, drift } = simulate({ ppm: 0, seconds: 40, packetMs, jitter: () => -4 });
    // What came before it flowed, beyond what is kept in hand, was never heard.
    expect(buffer.droppedFrames).toBeLessThanOrEqual(1);
    expect(buffer.missingFrames).toBeLessThanOrEqual(3);
    expect(worstClick(out.subarray(200), 503, 24_000)).toBeLessThan(1e-4);
    // 120 ms beside a tick of 80 ms beat against each other: the estimate ripples, far below what can be heard.
    const ripple = packetMs > 80 ? 250 : 25;
    for (const estimate of drift.slice(250)) expect(Math.abs(estimate)).toBeLessThan(ripple);
  });

  it('after a stall of half a second comes back to the same delay, everything counted', () => {
    const stall = (k: number): number => (k >= 500 && k < 525 ? (525 - k) * 20 : 0);
    const { buffer, out, waiting } = simulate({ ppm: 0, seconds: 40, jitter: stall });
    expect(Math.abs(waiting.at(-10)! - waiting[100]!)).toBeLessThan(1);
    // Half a second was missing and half a second too much came: six frames, give or take the margin.
    expect(Math.abs(buffer.missingFrames - 7)).toBeLessThanOrEqual(1);
    expect(Math.abs(buffer.droppedFrames - 6)).toBeLessThanOrEqual(1);
    expect(worstClick(seconds(out, 1, 38), 503, 24_000)).toBeLessThan(0.05);
  });
});
