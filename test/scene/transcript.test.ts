import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES } from '../../sidecar/audio';
import {
  FLUSH_SETTLE_FRAMES,
  LINES_KEPT,
  LINES_WAITING,
  SILENT_CLIENT_FRAMES,
  STALLED_CLIENT_FRAMES,
  Transcript,
} from '../../sidecar/scene/transcript';
import type { TranscriptLine } from '../../sidecar/wire/messages';

/** A transcript of an NPC that says one word every three frames, from frame 10. */
class Talk {
  readonly lines: TranscriptLine[] = [];
  readonly transcript = new Transcript('aldric', (line) => this.lines.push(line));
  n = 0;

  constructor(text = 'Three gold for the blade') {
    this.frames(10);
    this.transcript.started(10, text);
  }
  /** Sends silent frames. */
  frames(count: number): this {
    for (let i = 0; i < count; i++) this.transcript.sent(this.n++);
    return this;
  }
  says(...words: string[]): this {
    for (const word of words) {
      this.transcript.said(this.n, ` ${word}`);
      this.frames(3);
    }
    return this;
  }
  /** Playback has reached this many frames (fractions are samples). */
  heard(frames: number): this {
    const n = Math.ceil(frames) - 1;
    this.transcript.played(n, Math.round((frames - n) * FRAME_SAMPLES));
    return this;
  }
}

const LINE = ['Three', 'gold', 'for', 'the', 'blade'] as const;

describe('the transcript', () => {
  it('settles a line when the last of it has been played', () => {
    const talk = new Talk().says(...LINE);
    talk.transcript.ended(25);
    talk.heard(24.9);
    expect(talk.lines).toEqual([]);
    talk.heard(25);
    const text = 'Three gold for the blade';
    expect(talk.lines).toEqual([{ who: 'aldric', n: 10, text, heard: text, cut: false, ms: 1200 }]);
  });

  // Words begin in frames 10, 13, 16, 19, 22; the line is cut before frame 21.
  it.each([
    [9, '', 0],
    [10, '', 0],
    [10.5, 'Three—', 40],
    [13, 'Three', 240],
    [13.001, 'Three gold—', 240],
    [16, 'Three gold', 480],
    [19.5, 'Three gold for the—', 760],
    [21, 'Three gold for the—', 880],
  ])('flushed when %d frames had been played, holds "%s"', (played, heard, ms) => {
    const talk = new Talk().says('Three', 'gold', 'for').frames(0);
    talk.transcript.said(19, ' the');
    talk.frames(2).heard(played);
    talk.transcript.flushed(21);
    talk.frames(2).heard(22);
    expect(talk.lines).toEqual([
      { who: 'aldric', n: 10, text: 'Three gold for the blade', heard, cut: true, ms: expect.closeTo(ms, 0) },
    ]);
  });

  it('takes acknowledgements that were under way when it was flushed', () => {
    const talk = new Talk().says('Three', 'gold').heard(11);
    talk.transcript.flushed(16);
    talk.frames(3).heard(14.5).heard(17);
    expect(talk.lines[0]!.heard).toBe('Three gold—');
  });

  it('does not wait for more than a second of them', () => {
    const talk = new Talk().says('Three', 'gold').heard(14);
    talk.transcript.flushed(16);
    talk.frames(FLUSH_SETTLE_FRAMES - 1);
    expect(talk.lines).toEqual([]);
    talk.frames(2);
    expect(talk.lines[0]!.heard).toBe('Three gold—');
  });

  it('holds what a flush took back of a line that had been said to its end', () => {
    const talk = new Talk('Three gold').says('Three', 'gold');
    talk.transcript.ended(16);
    talk.frames(1).heard(12);
    talk.transcript.flushed(17);
    talk.frames(1).heard(18);
    expect(talk.lines[0]).toMatchObject({ heard: 'Three—', cut: true });
  });

  it('leaves a word whole that was ended before the line was', () => {
    const talk = new Talk().says('Three', 'gold');
    talk.transcript.ended(16);
    talk.heard(16);
    expect(talk.lines[0]).toMatchObject({ heard: 'Three gold', cut: true });
  });

  it('takes a client that never acknowledges to have heard what it was sent', () => {
    const talk = new Talk('Three gold').says('Three', 'gold');
    talk.transcript.ended(16);
    talk.frames(SILENT_CLIENT_FRAMES);
    expect(talk.lines).toEqual([]);
    talk.frames(1);
    expect(talk.lines[0]).toMatchObject({ heard: 'Three gold', cut: false });
  });

  it('takes a client that has stopped acknowledging to have heard no more', () => {
    const talk = new Talk('Three gold').says('Three', 'gold').heard(11);
    talk.transcript.ended(16);
    talk.frames(STALLED_CLIENT_FRAMES + 1);
    expect(talk.lines[0]).toMatchObject({ heard: 'Three—', cut: true });
  });

  it('does not believe a client that has played what was never sent', () => {
    const talk = new Talk().says('Three').heard(1000);
    talk.says('gold');
    talk.transcript.ended(16);
    talk.frames(1);
    expect(talk.lines).toEqual([]);
    talk.heard(16);
    expect(talk.lines.length).toBe(1);
  });

  it('lets words that begin in one frame share it', () => {
    const talk = new Talk('I am here');
    talk.transcript.said(10, ' I am');
    talk.frames(3).says('here').heard(10.5);
    talk.transcript.flushed(16);
    talk.frames(1).heard(17);
    expect(talk.lines[0]!.heard).toBe('I');
  });

  it('does not count as heard what was said while muted', () => {
    const talk = new Talk('One two').says('One');
    talk.transcript.said(13, ' two', false);
    talk.frames(3);
    talk.transcript.ended(16);
    talk.heard(16);
    expect(talk.lines[0]).toMatchObject({ heard: 'One', cut: true });
  });

  it('knows a line whose words were not announced by what was said', () => {
    const talk = new Talk('').says('Three', 'gold');
    talk.transcript.ended(16);
    talk.heard(16);
    expect(talk.lines[0]).toMatchObject({ text: 'Three gold', heard: 'Three gold', cut: false });
  });

  it('does not call a line cut that was taken up again in its middle', () => {
    const talk = new Talk('Three gold for the blade.').says('the', 'blade.');
    talk.transcript.ended(16);
    talk.heard(16);
    expect(talk.lines[0]).toMatchObject({
      text: 'Three gold for the blade.',
      heard: 'the blade.',
      cut: false,
    });
  });

  it('writes the player down with how long it spoke, and no words it does not know', () => {
    const talk = new Talk();
    talk.transcript.playerStarted(12, 'player');
    talk.transcript.playerStopped(30, 1280);
    expect(talk.lines).toEqual([{ who: 'player', n: 12, text: '', heard: '', cut: false, ms: 1280 }]);
  });

  it('keeps a bounded number of lines, and counts what it forgets', () => {
    const talk = new Talk();
    for (let i = 0; i < LINES_KEPT + 50; i++) talk.transcript.playerStopped(i, 80);
    expect(talk.transcript.lines.length).toBe(LINES_KEPT);
    expect(talk.transcript.forgotten).toBe(50);
  });

  it('keeps a bounded number of lines waiting for a client that plays nothing', () => {
    const talk = new Talk().heard(0.5);
    for (let i = 0; i < 100; i++) talk.transcript.started(talk.frames(1).n, `line ${i}`);
    expect(talk.transcript.waiting).toBe(LINES_WAITING);
  });

  it('settles everything when the NPC leaves', () => {
    const talk = new Talk().says('Three').heard(13);
    talk.transcript.close(13);
    expect(talk.lines[0]).toMatchObject({ heard: 'Three', cut: true });
    expect(talk.transcript.waiting).toBe(0);
  });

  it('never holds more words than were said, nor any out of order, whatever the client does', () => {
    const act = fc.oneof(
      fc.record({ do: fc.constant('say' as const) }),
      fc.record({ do: fc.constant('ack' as const), n: fc.nat(80), s: fc.nat(FRAME_SAMPLES) }),
      fc.record({ do: fc.constant('flush' as const) }),
      fc.record({ do: fc.constant('end' as const) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const talk = new Talk('');
        let word = 0;
        for (const a of acts) {
          if (a.do === 'say') talk.transcript.said(talk.n, ` w${word++}`);
          if (a.do === 'ack') talk.transcript.played(a.n, a.s);
          if (a.do === 'flush') talk.transcript.flushed(talk.n);
          if (a.do === 'end') talk.transcript.ended(talk.n);
          talk.frames(1);
        }
        talk.transcript.close(talk.n);
        expect(talk.lines.length).toBe(1);
        const [line] = talk.lines;
        const said = line!.text.split(' ').filter(Boolean);
        const heard = line!.heard.split(' ').filter(Boolean);
        heard.forEach((w, i) => expect(w.replace('—', '')).toBe(said[i]));
        expect(heard.slice(0, -1).some((w) => w.endsWith('—'))).toBe(false);
      }),
    );
  });
});
