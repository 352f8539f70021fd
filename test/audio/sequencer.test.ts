import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IGNORE, PacketSequencer } from '../../sidecar/audio';

const offerAll = (sequencer: PacketSequencer, ...numbers: number[]): number[] =>
  numbers.map((n) => sequencer.offer(n));

describe('packet numbers', () => {
  it('in order are played', () => {
    expect(offerAll(new PacketSequencer(), 7, 8, 9)).toEqual([0, 0, 0]);
  });

  it('wrap at 2^32', () => {
    const sequencer = new PacketSequencer();
    expect(offerAll(sequencer, 0xfffffffe, 0xffffffff, 0, 1, 3)).toEqual([0, 0, 0, 0, 1]);
    expect(sequencer).toMatchObject({ lost: 1, late: 0, restarts: 0 });
  });

  it('with a gap: the lost ones are concealed, and counted', () => {
    const sequencer = new PacketSequencer();
    expect(offerAll(sequencer, 0, 1, 4, 5)).toEqual([0, 0, 2, 0]);
    expect(sequencer.lost).toBe(2);
  });

  it('with a long gap: eight are concealed, all are counted', () => {
    const sequencer = new PacketSequencer();
    expect(offerAll(sequencer, 0, 101, 102)).toEqual([0, 8, 0]);
    expect(sequencer.lost).toBe(100);
  });

  it('seen before, or behind a gap that was concealed, are ignored and counted', () => {
    const sequencer = new PacketSequencer();
    expect(offerAll(sequencer, 0, 1, 1, 3, 2, 4)).toEqual([0, 0, IGNORE, 1, IGNORE, 0]);
    expect(sequencer).toMatchObject({ lost: 1, late: 2, restarts: 0 });
  });

  it.each([
    ['far ahead', 4_000_000],
    ['back at 0', 0],
    ['half way round', 0x80001388],
  ])('that jump %s are a sender that started afresh', (_, n) => {
    const sequencer = new PacketSequencer();
    expect(offerAll(sequencer, 5000, n, n + 1)).toEqual([0, 0, 0]);
    expect(sequencer).toMatchObject({ lost: 0, late: 0, restarts: 1 });
  });

  it('that begin again just behind are believed after eight in a row', () => {
    const sequencer = new PacketSequencer();
    offerAll(sequencer, ...Array.from({ length: 30 }, (_, i) => i));
    const again = offerAll(sequencer, 0, 1, 2, 3, 4, 5, 6, 7, 8);
    expect(again).toEqual([...Array.from({ length: 7 }, () => IGNORE), 0, 0]);
    expect(sequencer).toMatchObject({ late: 7, restarts: 1 });
  });

  it('of any kind never cause more than eight concealments, and every offer is played, ignored or a restart', () => {
    const number = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.double(),
    );
    fc.assert(
      fc.property(fc.array(number, { maxLength: 200 }), (numbers) => {
        const sequencer = new PacketSequencer();
        let ignored = 0;
        for (const n of numbers) {
          const verdict = sequencer.offer(n);
          expect(verdict).toBeGreaterThanOrEqual(IGNORE);
          expect(verdict).toBeLessThanOrEqual(8);
          if (verdict === IGNORE) ignored++;
        }
        expect(sequencer.late).toBe(ignored);
      }),
    );
  });

  it('with losses, duplicates and small disorder play each number once at most, in order', () => {
    const path = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 3 })), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), path, (start, steps) => {
        const sequencer = new PacketSequencer();
        const arrivals = steps
          .flatMap(([lost, shift], i) => (lost && i > 0 ? [] : [{ i, at: i + shift }]))
          .sort((a, b) => a.at - b.at);
        let last = -1;
        for (const { i } of arrivals) {
          if (sequencer.offer((start + i) >>> 0) === IGNORE) continue;
          expect(i).toBeGreaterThan(last);
          last = i;
        }
      }),
    );
  });
});
