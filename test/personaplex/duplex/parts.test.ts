/** What is made of the model's numbers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SeatEvent } from '../../../sidecar/duplex';
import { speedOfChange } from '../../../sidecar/personaplex/duplex/change';
import { Conversation } from '../../../sidecar/personaplex/duplex/conversation';
import { Mouth, newMouthBytes } from '../../../sidecar/personaplex/duplex/mouth';
import { recite } from '../../../sidecar/personaplex/duplex/recital';
import { Turns } from '../../../sidecar/personaplex/duplex/turns';
import { VoiceActivity, type Activity } from '../../../sidecar/personaplex/duplex/voice-activity';
import { Words } from '../../../sidecar/personaplex/duplex/words';
import { COLUMN_INTS, MOVED_INTS } from '../../../sidecar/personaplex/host';
import { Tokenizer } from '../../../sidecar/personaplex/tokenizer';
import { VISEMES, type Viseme } from '../../../sidecar/wire/messages';
import { tinyBrief } from '../tiny-model';
import { bytePieces, marks, modelBytes } from '../tokenizer/build';

const PAD = 3;
const END_OF_PADDING = 0;
const pieces = ['▁he', 'llo', '▁there', ',', '▁w', 'ell', '▁', 'c', 'a', 'f'];
const tokenizer = Tokenizer.fromBytes(
  modelBytes({ pieces: [...marks, ...pieces.map((text) => ({ text })), ...bytePieces], byteFallback: true }),
);
const id = (piece: string): number => marks.length + pieces.indexOf(piece);

describe('words', () => {
  const wordsOf = (tokens: number[]): string[] => {
    const words = new Words(tokenizer);
    return tokens.map((token) => words.push(token, token === PAD || token === END_OF_PADDING));
  };

  it('come whole, each with a space before it, when the next begins or a pause does', () => {
    expect(
      wordsOf([id('▁he'), id('llo'), PAD, id('▁there'), id(','), id('▁w'), id('ell'), END_OF_PADDING]),
    ).toEqual(['', '', ' hello', '', '', ' there,', '', ' well']);
  });

  it('are joined from bytes that make a letter together', () => {
    const [first, second] = [...new TextEncoder().encode('é')].map(
      (byte) => marks.length + pieces.length + byte,
    );
    expect(wordsOf([id('▁'), id('c'), id('a'), id('f'), first!, second!, PAD]).join('')).toBe(' café');
  });

  it('leave marks with the word before them', () => {
    expect(wordsOf([id('▁he'), id('llo'), PAD, id(','), PAD]).join('')).toBe(' hello,');
  });
});

describe('a line to be said', () => {
  it('is its tokens, one a frame, at the pace of speech, with a pause before each word', () => {
    const frames = recite(tokenizer, 'hello there, well', PAD);
    expect(frames.filter((token) => token !== PAD && token !== END_OF_PADDING)).toEqual([
      ...tokenizer.encode('hello'),
      ...tokenizer.encode('there,'),
      ...tokenizer.encode('well'),
    ]);
    // Sixteen letters at fifteen a second, and three frames for the comma.
    expect(frames.length).toBeGreaterThan(12);
    expect(frames.length).toBeLessThan(22);
    const beginnings = frames.flatMap((token, n) =>
      token === id('▁there') || token === id('▁w') ? [n] : [],
    );
    expect(beginnings.map((n) => frames[n - 1])).toEqual([END_OF_PADDING, END_OF_PADDING]);
    expect(frames.at(-1)).toBe(PAD);
  });

  it('is nothing for no words', () => expect(recite(tokenizer, ' \n ', PAD)).toEqual([]));

  it('comes out again as it went in', () => {
    const word = fc.stringMatching(/^[a-zéß][a-zéß,.!?-]{0,9}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (line) => {
        const words = new Words(tokenizer);
        const said = recite(tokenizer, line.join(' '), PAD).map((t) =>
          words.push(t, t === PAD || t === END_OF_PADDING),
        );
        expect(said.join('')).toBe(` ${line.join(' ')}`);
      }),
    );
  });
});

describe('voice activity', () => {
  const follow = (levels: (number | null)[]): Activity[] => {
    const ear = new VoiceActivity();
    return levels.map((level) => ear.hear(level));
  };
  const of = (level: number, frames: number): number[] => Array.from({ length: frames }, () => level);

  it('begins in the second loud frame, outlasts gaps between words, and ends after half a second', () => {
    const heard = follow([...of(0.001, 10), ...of(0.1, 5), ...of(0.001, 3), ...of(0.1, 5), ...of(0.001, 8)]);
    expect(heard.findIndex(({ started }) => started)).toBe(11);
    expect(heard.filter(({ started }) => started)).toHaveLength(1);
    const end = heard.findIndex(({ endedMs }) => endedMs > 0);
    expect(end).toBe(10 + 13 + 5);
    // From the first loud frame to the last.
    expect(heard[end]!.endedMs).toBe(13 * 80);
    expect(heard.slice(11, end).every(({ speaking }) => speaking)).toBe(true);
    expect(heard[end]!.speaking).toBe(false);
  });

  it('takes no single bang for speech, nor the room', () => {
    expect(follow([...of(0.001, 5), 0.5, ...of(0.001, 5)]).some(({ started }) => started)).toBe(false);
    expect(follow(of(0.005, 200)).some(({ started }) => started)).toBe(false);
  });

  it.each([0.01, 0.03, 0.1])(
    'learns of a room at %f in five seconds, and hears who speaks above it',
    (room) => {
      const heard = follow([...of(room, 100), ...of(5 * room, 20), ...of(room, 20)]);
      expect(heard.flatMap(({ started }, frame) => (started ? [frame] : []))).toEqual([1, 101]);
      expect(heard.flatMap(({ endedMs }) => endedMs || [])[1]).toBe(20 * 80);
      expect(heard.slice(66, 100).some(({ speaking }) => speaking)).toBe(false);
    },
  );

  it('learns nothing from frames that were not heard', () => {
    const heard = follow([...of(0.01, 100), ...Array.from({ length: 100 }, () => null), ...of(0.01, 100)]);
    expect(heard.slice(66).some(({ speaking }) => speaking)).toBe(false);
  });

  it('ends with a microphone that falls silent', () => {
    const heard = follow([...of(0.001, 10), ...of(0.1, 10), ...Array.from({ length: 10 }, () => null)]);
    expect(heard.flatMap(({ endedMs }) => endedMs || [])).toEqual([10 * 80]);
  });

  it('takes a digital silence between words for no quieter a room than any', () => {
    expect(follow([...of(0, 100), ...of(0.005, 100)]).some(({ started }) => started)).toBe(false);
  });

  it('hears one who speaks for half a minute to the end', () => {
    // Syllables of 0.24 s with closures between them.
    const speech = Array.from({ length: 375 }, (_, i) => (i % 4 === 3 ? 0.01 : 0.1));
    const heard = follow([...of(0.001, 10), ...speech, ...of(0.001, 10)]);
    expect(heard.filter(({ started }) => started)).toHaveLength(1);
    expect(heard.flatMap(({ endedMs }) => endedMs || [])).toEqual([375 * 80]);
  });
});

describe('turns', () => {
  const quiet: Activity = { speaking: false, started: false, endedMs: 0 };
  const talking: Activity = { speaking: true, started: false, endedMs: 0 };
  const say = (text: string, level = 0.1) => ({ level, text, scripted: false });
  const nothing = { level: 0, text: '', scripted: false };
  const kinds = (events: readonly SeatEvent[]): string[] => events.map(({ kind }) => kind);

  it('begin with a word and end after two thirds of a second of quiet', () => {
    const turns = new Turns();
    expect(turns.follow(quiet, say(' well'))).toEqual([{ kind: 'npc_started', text: '' }]);
    expect(turns.state).toBe('speaking');
    for (let n = 0; n < 4; n++) expect(turns.follow(quiet, say(''))).toEqual([]);
    for (let n = 0; n < 7; n++) expect(turns.follow(quiet, nothing)).toEqual([]);
    expect(turns.follow(quiet, nothing)).toEqual([{ kind: 'npc_stopped', ms: 5 * 80 }]);
    expect(turns.state).toBe('idle');
  });

  it('begin with sound that has no words only when it lasts', () => {
    const turns = new Turns();
    for (let n = 0; n < 3; n++) expect(turns.follow(quiet, say(''))).toEqual([]);
    expect(kinds(turns.follow(quiet, say('')))).toEqual(['npc_started']);
  });

  it('end without words, however noisy', () => {
    const turns = new Turns();
    turns.follow(quiet, say(' well'));
    const events = Array.from({ length: 38 }, () => turns.follow(quiet, say(''))).flat();
    expect(kinds(events)).toEqual(['npc_stopped']);
  });

  it('are a backchannel when short and said into the player’s', () => {
    const turns = new Turns();
    turns.follow({ ...talking, started: true }, nothing);
    expect(turns.state).toBe('listening');
    expect(kinds(turns.follow(talking, say(' mm')))).toEqual(['npc_backchannelled']);
    expect(turns.state).toBe('backchannel');
    const events = Array.from({ length: 10 }, () => turns.follow(talking, nothing)).flat();
    expect(events).toEqual([]);
    expect(turns.state).toBe('listening');
  });

  it('become a reply when a backchannel turns out to be more', () => {
    const turns = new Turns();
    turns.follow(talking, say(' no'));
    expect(kinds(turns.follow(talking, say(' wait a moment')))).toEqual(['npc_started']);
    expect(turns.state).toBe('speaking');
  });

  it('tell when the player begins and ends', () => {
    const turns = new Turns();
    expect(turns.follow({ speaking: true, started: true, endedMs: 0 }, nothing)).toEqual([
      { kind: 'player_started' },
    ]);
    expect(turns.follow({ speaking: false, started: false, endedMs: 640 }, nothing)).toEqual([
      { kind: 'player_stopped', ms: 640 },
    ]);
  });

  it('end what is being said before a given line', () => {
    const turns = new Turns();
    turns.follow(quiet, say(' well'));
    expect(turns.recite('mind the step.')).toEqual([
      { kind: 'npc_stopped', ms: 80 },
      { kind: 'npc_started', text: 'mind the step.' },
    ]);
  });
});

describe('the mouth', () => {
  const frame = (wave: (t: number, i: number) => number): Float32Array =>
    Float32Array.from({ length: 1920 }, (_, i) => wave(i / 24_000, i));
  const tone = (hz: number, gain = 0.3) => frame((t) => gain * Math.sin(2 * Math.PI * hz * t));
  /** A hash, not a period: white. */
  const hiss = frame(
    (_, i) => 0.2 * ((((Math.imul(i + 1, 2654435761) ^ (i * 40503)) >>> 8) % 1000) / 500 - 1),
  );
  const shapeAfter = (...frames: (Float32Array | null)[]): { rests: boolean; most: Viseme; sum: number } => {
    const mouth = new Mouth();
    const bytes = newMouthBytes();
    let moves = false;
    for (const pcm of frames) moves = mouth.follow(pcm, bytes);
    const last = bytes.subarray(45);
    return {
      rests: !moves,
      most: VISEMES[last.indexOf(Math.max(...last))]!,
      sum: last.reduce((a, b) => a + b, 0),
    };
  };

  it('is shut in silence, and again soon after speech', () => {
    expect(shapeAfter(null)).toMatchObject({ rests: true, most: 'sil' });
    expect(shapeAfter(tone(300), tone(300), null, null, null)).toMatchObject({ rests: true, most: 'sil' });
  });

  it.each([
    [300, 'ou'],
    [800, 'oh'],
    [1200, 'aa'],
    [1800, 'E'],
    [2600, 'ih'],
  ] as const)('makes of %i Hz %s', (hz, viseme) => {
    expect(shapeAfter(tone(hz), tone(hz))).toMatchObject({ rests: false, most: viseme });
  });

  it('makes of hiss SS', () => expect(shapeAfter(hiss, hiss)).toMatchObject({ most: 'SS' }));

  it('weighs one in all', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 50, max: 11_000, noNaN: true }), { minLength: 1, maxLength: 4 }),
        (hz) => {
          const { sum } = shapeAfter(...hz.map((f) => tone(f)));
          expect(Math.abs(sum - 255)).toBeLessThanOrEqual(8);
        },
      ),
    );
  });
});

describe('a changed brief', () => {
  const facts = ['The well is dry', 'Ale is up.'];
  const before = tinyBrief({
    prompt: 'You work for a tavern. Information: The well is dry. Ale is up.',
    facts,
  });

  it('takes hold at once when the model was not primed with what changed', () => {
    expect(speedOfChange(before, { ...before, lines: { ...before.lines, idle: ['Hm.'] } })).toBe('instant');
  });
  it('waits for quiet when only facts changed', () => {
    const after = {
      ...before,
      prompt: 'You work for a tavern. Information: Ale is up.',
      facts: ['Ale is up.'],
    };
    expect(speedOfChange(before, after)).toBe('quiet');
    expect(speedOfChange(before, { ...before, prompt: 'You work for a tavern.', facts: [] })).toBe('quiet');
  });
  it('is a new past when role or voice changed', () => {
    const after = { ...before, prompt: 'You work for a smith. Information: The well is dry. Ale is up.' };
    expect(speedOfChange(before, after)).toBe('reprime');
    const voice = { ...before.voice, personaplex: { prompt: 'high.wav' } };
    expect(speedOfChange(before, { ...before, voice })).toBe('reprime');
  });
});

describe('a conversation that is kept', () => {
  const columns = {
    count: 1,
    tokens: new Int32Array(17),
    embeddings: null,
    agentAcoustic: new Int32Array(7),
    userAcoustic: new Int32Array(7),
  };
  const moved = (n: number): Int32Array => Int32Array.from({ length: MOVED_INTS }, (_, i) => 100 * n + i);

  it('hands over its newest columns, oldest first, and what comes next', () => {
    const kept = new Conversation(columns, 4);
    expect(kept.handover()).toEqual({ columns, count: 0, last: new Int32Array(0), next: null });
    for (let n = 0; n < 6; n++) kept.add(moved(n));
    const { count, last, next } = kept.handover();
    expect(count).toBe(6);
    expect(Array.from({ length: 4 }, (_, i) => last[i * COLUMN_INTS])).toEqual([200, 300, 400, 500]);
    expect(last).toHaveLength(4 * COLUMN_INTS);
    expect(next).toEqual({
      text: 517,
      agent: Int32Array.from({ length: 8 }, (_, i) => 518 + i),
      user: Int32Array.from({ length: 8 }, (_, i) => 526 + i),
    });
  });
});
