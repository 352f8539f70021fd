import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES } from '../../sidecar/audio';
import { SteppedClock } from '../../sidecar/scene';
import { Microphone } from '../../sidecar/scene/microphone';
import { MIC, f32, tone } from './harness';

const HZ = 312.5; // 25 periods a frame
const mic = () => new Microphone('player', MIC, true, new SteppedClock());
/** Largest step between neighbouring samples. */
const steepest = (samples: Float32Array) => {
  let most = 0;
  for (let i = 1; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]! - samples[i - 1]!));
  return most;
};
const silence = new Float32Array(FRAME_SAMPLES);
/** The largest step of the tone itself, and a little. */
const SMOOTH = 0.5 * ((2 * Math.PI * HZ) / 24_000) * 1.3;

describe('a microphone', () => {
  it('hands on the samples it was sent, once it flows', () => {
    const m = mic();
    for (let i = 0; i < 4; i++) {
      m.packet(i, f32(tone(HZ, i)));
      m.next();
      if (i > 0) expect(m.pcm).toEqual(tone(HZ, i));
    }
    expect(m.level).toBeCloseTo(0.5 / Math.SQRT2, 6);
  });

  it('is silence before its first packet, and counts nothing', () => {
    const m = mic();
    m.next();
    expect(m.pcm).toBeNull();
    expect(m.stats()).toMatchObject({ packets: 0, missingFrames: 0, bufferedMs: 0 });
  });

  it('counts every loss, duplicate, straggler and malformed packet', () => {
    const m = mic();
    const send = (n: number, bytes = f32(tone(HZ, n))) => {
      m.packet(n, bytes);
      m.next();
    };
    send(0);
    send(1);
    send(1); // twice
    send(4); // 2 and 3 are missing
    send(3); // too late
    send(5, new Uint8Array(7)); // not a whole number of samples
    send(6);
    expect(m.stats()).toMatchObject({ packets: 7, lost: 2, late: 2, malformed: 1 });
  });

  it('fades out where frames stop coming, and in where they start again', () => {
    const m = mic();
    const heard: Float32Array[] = [];
    const next = () => {
      m.next();
      heard.push(Float32Array.from(m.pcm ?? silence));
    };
    m.packet(0, f32(tone(HZ, 0)));
    next();
    next();
    next();
    expect(m.pcm).toBeNull();
    m.packet(1, f32(tone(HZ, 1, 0.5)));
    next();
    const all = Float32Array.from(heard.flatMap((frame) => [...frame]));
    expect(steepest(all)).toBeLessThan(SMOOTH);
    expect(m.stats().missingFrames).toBe(2);
  });

  it('is silent while muted, without a click either way, and still takes its packets', () => {
    const m = mic();
    const heard: number[] = [];
    for (let i = 0; i < 9; i++) {
      m.muted = i >= 3 && i < 6;
      m.packet(i, f32(tone(HZ, i)));
      m.next();
      heard.push(...(m.pcm ?? silence));
      if (i === 4 || i === 5) expect(m.pcm).toBeNull();
    }
    expect(steepest(Float32Array.from(heard))).toBeLessThan(SMOOTH);
    expect(m.stats()).toMatchObject({ packets: 9, missingFrames: 0, droppedFrames: 0 });
  });

  it('drops a frame without a click, and counts it', () => {
    const m = mic();
    m.packet(0, f32(tone(HZ, 0)));
    m.next();
    const heard = [...m.pcm!];
    m.packet(1, f32(tone(HZ, 1)));
    m.drop();
    // What follows is half a period out of step with what went before.
    m.packet(2, f32(tone(HZ, 2).map((x) => -x) as Float32Array));
    m.next();
    heard.push(...m.pcm!);
    expect(steepest(Float32Array.from(heard))).toBeLessThan(SMOOTH * 1.5);
    expect(m.stats().droppedFrames).toBe(1);
  });

  it('keeps its counts when it begins, or ceases, to drive the tick', () => {
    const m = mic();
    for (let i = 0; i < 5; i++) m.packet(i, f32(tone(HZ, i)));
    const { droppedFrames } = m.stats();
    expect(droppedFrames).toBeGreaterThan(0);
    m.setPrimary(false);
    m.setPrimary(true);
    expect(m.stats().droppedFrames).toBe(droppedFrames);
  });

  it('never throws and never holds more than three frames, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(MIC, { codec: 's16', rate: 44_100, channels: 2 } as const),
        fc.array(
          fc.record({ n: fc.nat(0xffffffff), near: fc.nat(5), bytes: fc.uint8Array({ maxLength: 9000 }) }),
        ),
        (format, packets) => {
          const m = new Microphone('player', format, true, new SteppedClock());
          let n = 0;
          for (const packet of packets) {
            n = packet.near === 0 ? packet.n : n + packet.near - 2;
            m.packet(n, packet.bytes);
            expect(m.stats().bufferedMs).toBeLessThanOrEqual(240);
            m.next();
          }
          expect(m.stats().packets).toBe(packets.length);
        },
      ),
    );
  });
});
