import { describe, expect, it } from 'vitest';
import { Timeline } from '../../plugins/web/src/playback/timeline';
import { MOUTH_BYTES, VISEMES, type NpcFrame, type TurnEvent } from '../../sidecar/wire';

const frame = (n: number, more: Partial<NpcFrame> = {}): NpcFrame => ({
  t: 'frame',
  npc: 'aldric',
  n,
  pcm: new Uint8Array(0),
  turn: 'speaking',
  level: 0.1,
  ...more,
});
const turn = (ev: TurnEvent['ev'], n: number): TurnEvent => ({ t: 'turn', ev, npc: 'aldric', n });

function recorded(): { timeline: Timeline; told: string[] } {
  const told: string[] = [];
  const timeline = new Timeline({
    frame: ({ n, text }) => told.push(`frame ${n}${text ?? ''}`),
    mouth: (weights) =>
      told.push(`mouth ${[...weights].map((w, v) => (w > 0.5 ? VISEMES[v] : '')).join('')}`),
    turn: ({ ev, n }) => told.push(`${ev} ${n}`),
  });
  return { timeline, told };
}
/** A mouth whose four steps are single visemes. */
function mouth(...steps: (typeof VISEMES)[number][]): Uint8Array {
  const bytes = new Uint8Array(MOUTH_BYTES);
  steps.forEach((viseme, step) => (bytes[step * VISEMES.length + VISEMES.indexOf(viseme)] = 255));
  return bytes;
}

describe('Timeline', () => {
  it('tells of a frame when it is heard, not when it comes', () => {
    const { timeline, told } = recorded();
    timeline.addFrame(frame(0, { text: ' Well' }));
    timeline.addFrame(frame(1, { text: ' met' }));
    expect(told).toEqual([]);
    timeline.reach(0, 0);
    timeline.reach(0, 1920);
    timeline.reach(1, 0);
    expect(told).toEqual(['frame 0 Well', 'frame 1 met']);
  });

  it('moves the mouth each 20 ms and rests it once when a frame has none', () => {
    const { timeline, told } = recorded();
    timeline.addFrame(frame(0, { mouth: mouth('PP', 'aa', 'oh', 'SS') }));
    timeline.addFrame(frame(1));
    for (const s of [0, 480, 960, 1440, 1920]) timeline.reach(0, s);
    for (const s of [0, 480]) timeline.reach(1, s);
    expect(told).toEqual(['frame 0', 'mouth PP', 'mouth aa', 'mouth oh', 'mouth SS', 'frame 1', 'mouth sil']);
    expect(timeline.mouth[0]).toBe(1);
  });

  it('keeps turn events until their frame is heard, and tells late ones at once', () => {
    const { timeline, told } = recorded();
    timeline.addTurn(turn('npc_started', 1));
    timeline.addFrame(frame(0));
    timeline.addFrame(frame(1));
    timeline.reach(0, 0);
    timeline.reach(1, 0);
    timeline.addTurn(turn('npc_stopped', 1));
    expect(told).toEqual(['frame 0', 'npc_started 1', 'frame 1', 'npc_stopped 1']);
  });

  it('drops what a flush makes unheard, keeps turn events, and rests the mouth', () => {
    const { timeline, told } = recorded();
    timeline.addFrame(frame(0, { mouth: mouth('aa', 'aa', 'aa', 'aa') }));
    timeline.addFrame(frame(1, { text: ' never' }));
    timeline.reach(0, 0);
    timeline.addTurn(turn('npc_stopped', 2));
    timeline.flush(2);
    timeline.addFrame(frame(2));
    timeline.reach(2, 0);
    expect(told).toEqual(['frame 0', 'mouth aa', 'mouth sil', 'npc_stopped 2', 'frame 2']);
  });

  it('begins at frame 0 again after a reset', () => {
    const { timeline, told } = recorded();
    timeline.addFrame(frame(7));
    timeline.reach(7, 0);
    timeline.reset();
    timeline.addFrame(frame(0));
    timeline.reach(0, 0);
    expect(told).toEqual(['frame 7', 'frame 0']);
  });
});
