import { describe, expect, it } from 'vitest';
import { SpeechDetector } from '../../sidecar/understudy/turns/detector';
import type { Heard } from '../../sidecar/understudy/turns/heard';
import { BLOCKS, MAX_WINDOWS, REPORT_FLOATS } from '../../sidecar/understudy/vad/shared';

const ROOM_DB = -70;
const VOICE_DB = -25;

/** A frame as the VAD worker would report it: probabilities of its windows, and the level of each 5 ms. */
interface Frame {
  p: number[];
  db: number | ((block: number) => number);
}
const quiet: Frame = { p: [0.01, 0.01, 0.01], db: ROOM_DB };
const speech: Frame = { p: [0.95, 0.97, 0.96], db: VOICE_DB };
const until =
  (ms: number, then = ROOM_DB, now = VOICE_DB) =>
  (block: number) =>
    block * 5 < ms ? now : then;
const from = (ms: number) => until(ms, VOICE_DB, ROOM_DB);

function report({ p, db }: Frame): Float32Array {
  const floats = new Float32Array(REPORT_FLOATS);
  floats[0] = p.length;
  p.forEach((probability, i) => {
    floats[1 + 2 * i] = probability;
    floats[2 + 2 * i] = [30, 62, 78][i]!;
  });
  for (let block = 0; block < BLOCKS; block++) {
    floats[1 + 2 * MAX_WINDOWS + block] = 10 ** ((typeof db === 'number' ? db : db(block)) / 10);
  }
  return floats;
}
function hear(...frames: Frame[]): Heard[] {
  const detector = new SpeechDetector();
  return frames.map((frame) => ({ ...detector.hear(report(frame), 0) }));
}
const times = (n: number, frame: Frame) => Array<Frame>(n).fill(frame);
const last = (heard: Heard[]) => heard.at(-1)!;

describe('what is heard of the player', () => {
  it('is nothing in a quiet room', () => {
    expect(last(hear(...times(20, quiet)))).toMatchObject({
      speaking: false,
      cutIn: false,
      voiced: false,
      unsure: false,
      quietMs: Infinity,
    });
  });

  it('starts once, with two likely windows or one very likely', () => {
    const room = times(5, quiet);
    const started = (p: number[]) => last(hear(...room, { p, db: VOICE_DB })).started;
    expect(started([0.1, 0.6, 0.6])).toBe(true);
    expect(started([0.1, 0.1, 0.9])).toBe(true);
    expect(started([0.6, 0.2, 0.6])).toBe(false);
    expect(hear(...room, speech, speech).map((heard) => heard.started)).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
      false,
    ]);
  });

  describe('a cut-in', () => {
    const room = times(10, quiet);
    it.each<[string, Frame, boolean]>([
      ['a fairly likely window over the noise', { p: [0, 0, 0.25], db: from(50) }, true],
      ['a less likely one, if the sound rose a lot', { p: [0, 0, 0.12], db: from(50) }, true],
      ['a less likely one, if it hardly rose', { p: [0, 0, 0.12], db: ROOM_DB + 8 }, false],
      ['a likely window in which nothing rose', { p: [0, 0, 0.6], db: ROOM_DB }, false],
      ['a slam, which is loud and no speech', { p: [0.02, 0.03, 0.02], db: -10 }, false],
    ])('%s', (_, frame, cutIn) => {
      expect(last(hear(...room, frame)).cutIn).toBe(cutIn);
    });
  });

  it('stopped when its last sound did, to the 5 ms', () => {
    for (const end of [15, 40, 60, 75]) {
      const tail: Frame = { p: [0.9, 0.7, 0.5], db: until(end) };
      const heard = hear(...times(10, quiet), ...times(5, speech), tail, quiet, quiet);
      // Levels span 15 ms: a loud sound is seen one block beyond its end.
      expect(last(heard).quietMs).toBeCloseTo(80 - end + 160, -1.05);
      expect(last(heard).quietMs).toBeLessThanOrEqual(80 - end + 160);
    }
  });

  it('does not hear the lag of Silero as speech', () => {
    const lag: Frame = { p: [0.95, 0.9, 0.6], db: ROOM_DB };
    expect(last(hear(...times(10, quiet), ...times(5, speech), lag)).quietMs).toBeGreaterThanOrEqual(75);
  });

  it('still hears a drawn out sound that Silero doubts, but not for ever', () => {
    const doubted: Frame = { p: [0.2, 0.1, 0.1], db: VOICE_DB - 12 };
    const heard = hear(...times(10, quiet), ...times(5, speech), ...times(8, doubted));
    expect(heard[17]!.quietMs).toBeLessThan(20);
    expect(last(heard).quietMs).toBeGreaterThanOrEqual(200);
  });

  it('goes on over a short dip and is over after 220 ms', () => {
    const heard = hear(...times(10, quiet), ...times(3, speech), ...times(3, quiet));
    expect(heard.slice(12).map(({ speaking }) => speaking)).toEqual([true, true, true, false]);
    expect(heard.slice(12).map(({ quietMs }) => Math.round(quietMs / 80))).toEqual([0, 1, 2, 3]);
  });

  it('lasted from its first sound to its last', () => {
    const begin: Frame = { p: [0, 0.9, 0.95], db: from(40) };
    const heard = last(hear(...times(10, quiet), begin, ...times(4, speech), quiet));
    expect(Math.abs(heard.speechMs - (40 + 4 * 80))).toBeLessThanOrEqual(10);
  });

  it('is unsure of a sound at the frame’s end that may be speech', () => {
    const maybe: Frame = { p: [0.01, 0.02, 0.07], db: from(60) };
    expect(last(hear(...times(10, quiet), maybe)).unsure).toBe(true);
    expect(last(hear(...times(10, quiet), { ...maybe, p: [0.01, 0.02, 0.02] })).unsure).toBe(false);
    expect(last(hear(...times(10, quiet), { ...maybe, db: ROOM_DB })).unsure).toBe(false);
  });

  it('learns a louder room, and hears speech above it', () => {
    const fan: Frame = { p: [0.01, 0.02, 0.01], db: -45 };
    const tail: Frame = { p: [0.9, 0.7, 0.5], db: until(40, -45) };
    const heard = hear(...times(60, fan), ...times(5, speech), tail, fan);
    expect(Math.abs(last(heard).quietMs - 120)).toBeLessThanOrEqual(10);
  });

  it('takes Silero’s word for speech that hardly stands out of the noise', () => {
    const buried: Frame = { p: [0.9, 0.95, 0.9], db: -44 };
    const heard = hear(...times(60, { p: [0.01, 0.02, 0.01], db: -45 }), ...times(10, buried));
    expect(heard.slice(61).every(({ speaking, quietMs }) => speaking && quietMs < 80)).toBe(true);
    expect(last(heard).speechMs).toBeGreaterThan(600);
  });

  it('learns nothing from digital silence, as of a muted microphone', () => {
    const fan: Frame = { p: [0.01, 0.02, 0.01], db: -45 };
    const muted: Frame = { p: [0, 0, 0], db: -200 };
    const tail: Frame = { p: [0.9, 0.7, 0.5], db: until(40, -45) };
    const heard = hear(...times(60, fan), ...times(60, muted), ...times(5, speech), tail, fan);
    expect(Math.abs(last(heard).quietMs - 120)).toBeLessThanOrEqual(10);
  });

  it('goes on as it was when copied', () => {
    const one = new SpeechDetector();
    for (const frame of [...times(10, quiet), ...times(3, speech)]) one.hear(report(frame), 0);
    const two = new SpeechDetector(one);
    expect(two.heard).toEqual(one.heard);
    expect(two.hear(report(quiet), 0)).toEqual(one.hear(report(quiet), 0));
  });
});
