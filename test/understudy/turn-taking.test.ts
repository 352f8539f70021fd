import { describe, expect, it } from 'vitest';
import { briefOf, Stage } from './fakes';

/** Twelve words, four clauses; at six steps a word each clause of three words lasts four and a half frames. */
const LINE = 'one two three, four five six, seven eight nine, ten eleven twelve.';
const starts = (stage: Stage) => stage.events.filter((event) => event.includes('started '));

describe('a reply', () => {
  it.each([
    [100, 'sss .N'],
    [400, 'sss ....N'],
    [800, 'sss .........N'],
  ])('begins when the player has been quiet for %i ms, and not before', (patienceMs, expected) => {
    const stage = new Stage(briefOf({ patienceMs, replies: ['aye'] }));
    const score = expected.replaceAll('N', '.');
    expect(stage.play(score)).toBe(expected.replace(/\s/g, '').replaceAll('s', '.'));
  });

  it('tells who had the floor, and when', () => {
    const stage = new Stage(briefOf({ patienceMs: 400, replies: ['aye'] }));
    stage.play('. ssss ..... ....');
    expect(stage.events).toEqual(['1:player_started', '7:player_stopped', '9:started aye', '11:stopped']);
    expect(stage.frames.map(({ turn }) => turn[0]).join('')).toBe('illllllllssiii');
  });

  it('never begins in a pause shorter than its patience', () => {
    const stage = new Stage(briefOf({ patienceMs: 400, replies: ['aye'] }));
    // The last word alone would be too short to be a turn; the whole is not.
    expect(stage.play('ss .... ss .... ss .... s .....')).toMatch(/^\.{23}N$/);
  });

  it('waits a moment for a doubtful sound, and not for ever', () => {
    const stage = new Stage(briefOf({ patienceMs: 400, replies: ['aye'] }));
    expect(stage.play('ss .... ? .')).toBe('.......N');
    const doubtful = new Stage(briefOf({ patienceMs: 400, replies: ['aye'] }));
    expect(doubtful.play('ss .... ?????')).toBe('........NN.');
  });

  it('begins at its first sample, with its first word', () => {
    const stage = new Stage(briefOf({ patienceMs: 100, replies: ['aye indeed'] }));
    stage.play('ss .. ...');
    expect(stage.frames.map(({ text }) => text)).toEqual(['', '', '', ' aye', ' indeed', '', '']);
    expect(stage.frames[3]!.pcm!.every((sample) => sample !== 0)).toBe(true);
  });

  it('is another one each time', () => {
    const stage = new Stage(briefOf({ patienceMs: 100, replies: ['one', 'two', 'three'] }));
    for (let i = 0; i < 6; i++) stage.play('ss .......');
    const said = starts(stage).map((event) => event.split(' ')[1]);
    expect(new Set(said.slice(0, 3)).size).toBe(3);
    said.forEach((word, i) => expect(word).not.toBe(said[i - 1]));
  });

  it('has its first clause made before the player has finished', () => {
    const stage = new Stage(briefOf({ replies: ['well met, stranger'] }));
    expect(stage.speech.asked[0]).toBe('well met,');
  });

  it('begins as soon as its speech is there, when that comes late', () => {
    const stage = new Stage(briefOf({ patienceMs: 100, replies: ['aye'] }), { late: true });
    expect(stage.play('ss ......')).toBe('........');
    stage.speech.deliver();
    expect(stage.play('..')).toBe('NN');
  });

  it('is not given to a sound too short to be a turn', () => {
    const stage = new Stage(briefOf({ patienceMs: 400, replies: ['aye'] }));
    expect(stage.play('s ..............')).toMatch(/^\.+$/);
  });
});

describe('cut in on', () => {
  const speaking = (overlap: 'yield' | 'finish_word' | 'hold' | 'talk_over', parts = {}) => {
    const stage = new Stage(briefOf({ overlap, greeting: [LINE], ...parts }), { greet: true });
    expect(stage.play('.. ..')).toBe('NNNN');
    return stage;
  };

  it.each([
    // Cut in the second frame of "three" (frames 3 to 4.5), which is the last word of its clause.
    ['yield', '......', ['4:player_started', '4:interrupted, flush', '4:stopped']],
    ['finish_word', 'N.....', ['4:player_started', '5:interrupted', '5:stopped']],
    ['hold', 'N.....', ['4:player_started', '5:interrupted', '5:stopped']],
    ['talk_over', 'NNNNNN', ['4:player_started']],
  ] as const)('%s: %s', (overlap, marks, events) => {
    const stage = speaking(overlap);
    const played = stage.play('s sssss');
    if (overlap === 'talk_over') expect(played.replaceAll('.', 'N')).toBe(marks);
    else expect(played).toBe(marks);
    expect(stage.events.slice(1)).toEqual(events);
  });

  it('finish_word stops at the word, hold at the clause', () => {
    const said = (overlap: 'finish_word' | 'hold') => {
      const stage = new Stage(briefOf({ overlap, greeting: [LINE] }), { greet: true });
      stage.play('.. ssssssss');
      return stage.said;
    };
    expect(said('finish_word')).toBe('one two');
    expect(said('hold')).toBe('one two three,');
  });

  it('finish_word stops at once between two clauses', () => {
    const stage = new Stage(briefOf({ overlap: 'finish_word', greeting: ['one. two.'] }), { greet: true });
    // "one" lasts a frame and a half; the pause after it, three frames and a quarter.
    expect(stage.play('... sss')).toBe('NN....');
    expect(stage.events).toContain('3:stopped');
  });

  it('fades the word it finishes', () => {
    const stage = new Stage(briefOf({ overlap: 'finish_word', greeting: [LINE] }), { greet: true });
    stage.play('. ss');
    const { pcm } = stage.frames[1]!;
    const end = pcm!.findLastIndex((sample) => sample !== 0);
    expect(pcm![end]!).toBeLessThan(0.001);
    expect(pcm![end - 240]!).toBeCloseTo(0.1, 3);
  });

  it('is told once, however long the player goes on', () => {
    const stage = speaking('yield');
    stage.play('ssssssssss');
    expect(stage.events.filter((event) => event.includes('interrupted'))).toHaveLength(1);
  });

  it('cannot happen by speech that was there before the line', () => {
    const stage = new Stage(briefOf({ overlap: 'yield' }));
    stage.play('sss');
    stage.seat.turns.say(LINE, 'now');
    expect(stage.play('ssss')).toBe('NNNN');
    expect(stage.play('.. s')).toBe('N..');
  });

  it('drops the line, and says so when asked to', () => {
    const stage = speaking('yield', { interrupted: ['as you say'], replies: ['aye'] });
    stage.play('ssss ..... ..........');
    expect(starts(stage).slice(1)).toEqual(['12:started as you say']);
  });

  it('drops the line for a reply when it has nothing to say to it', () => {
    const stage = speaking('yield', { replies: ['aye'] });
    stage.play('ssss ..... ..........');
    expect(starts(stage).at(-1)).toBe('12:started aye');
  });

  it('takes the line up again at the clause it was cut in, after its excuse', () => {
    const stage = speaking('yield', { interrupted: ['as I said'], resume: true });
    stage.play('..... ssss ..... ............................');
    expect(starts(stage).map((event) => event.split(':')[1])).toEqual([
      `started ${LINE}`,
      'started as I said',
      `started ${LINE}`,
    ]);
    expect(stage.said).toBe(
      'one two three, four five as I said four five six, seven eight nine, ten eleven twelve.',
    );
  });

  it('goes on where a false alarm stopped it, whatever its manner', () => {
    const stage = new Stage(
      briefOf({ overlap: 'yield', resume: false, interrupted: ['what'], greeting: [LINE] }),
      { greet: true },
    );
    stage.play('..');
    // A burst that would cut in, of which no speech comes.
    stage.seat.step({
      speaking: false,
      started: false,
      cutIn: true,
      voiced: false,
      unsure: false,
      quietMs: Infinity,
      speechMs: 0,
    });
    stage.play('............................');
    expect(stage.said).toContain('twelve.');
    expect(stage.said).not.toContain('what');
  });

  it('with talk_over, the player is answered when the line is over', () => {
    const stage = new Stage(
      briefOf({ overlap: 'talk_over', greeting: ['one two three'], replies: ['aye'] }),
      { greet: true },
    );
    stage.play('. ssssssss ..... ...');
    expect(starts(stage).at(-1)).toBe('13:started aye');
  });
});

describe('while the player talks on', () => {
  const talk = 'ssssssssss . ';
  it('says "mm-hm" in a dip, as often as told, and does not take the turn by it', () => {
    const stage = new Stage(briefOf({ backchannels: ['aye'], backchannelsPerMinute: 20, replies: ['well'] }));
    stage.play(talk.repeat(20));
    const nods = stage.events.filter((event) => event.includes('backchannelled'));
    // Sixteen seconds of speech.
    expect(nods.length).toBeGreaterThanOrEqual(3);
    expect(nods.length).toBeLessThanOrEqual(8);
    expect(starts(stage)).toEqual([]);
    for (const nod of nods) expect(Number(nod.split(':')[0]) % 11).toBe(10);
  });
  it('says none with a rate of 0, and none without a dip', () => {
    expect(
      new Stage(briefOf({ backchannels: ['aye'], backchannelsPerMinute: 0 })).play(talk.repeat(20)),
    ).not.toContain('b');
    expect(
      new Stage(briefOf({ backchannels: ['aye'], backchannelsPerMinute: 20 })).play('s'.repeat(200)),
    ).not.toContain('b');
  });
  it('is quieter than when it has the turn', () => {
    const stage = new Stage(briefOf({ backchannels: ['aye'], backchannelsPerMinute: 20 }));
    stage.play(talk.repeat(20));
    expect(stage.frames.find(({ mark }) => mark === 'b')!.pcm![0]).toBeCloseTo(0.07, 4);
  });
  it('answers in time even in the middle of a backchannel, which fades under the answer', () => {
    const stage = new Stage(
      briefOf({
        patienceMs: 250,
        backchannels: ['a long one this is'],
        backchannelsPerMinute: 20,
        replies: ['well'],
      }),
    );
    for (let i = 0; i < 20 && !stage.events.some((event) => event.includes('backchannelled')); i++)
      stage.play(talk);
    expect(stage.play('...')).toBe('bbN');
    const { pcm } = stage.frames.at(-1)!;
    expect(pcm![0]!).toBeGreaterThan(0.16);
    expect(pcm![240]!).toBeCloseTo(0.1, 4);
  });
});

describe('without being spoken to', () => {
  it('greets when seated so, once the player is quiet', () => {
    const stage = new Stage(briefOf({ greeting: ['well met'], patienceMs: 400 }), { greet: true });
    expect(stage.play('sss .....')).toBe('.......N');
    expect(new Stage(briefOf({ greeting: ['well met'] })).play('........')).toBe('........');
  });

  it('says idle lines into long quiet, at jittered intervals', () => {
    const stage = new Stage(briefOf({ idle: ['hm', 'well'], idleEverySeconds: 10 }));
    stage.play('.'.repeat(1250));
    const frames = starts(stage).map((event) => Number(event.split(':')[0]));
    expect(frames.length).toBeGreaterThanOrEqual(7);
    const gaps = frames.slice(1).map((frame, i) => (frame - frames[i]!) * 0.08);
    expect(Math.min(...gaps)).toBeGreaterThan(7.9);
    expect(Math.max(...gaps)).toBeLessThan(12.6);
    expect(new Set(gaps.map((gap) => gap.toFixed(1))).size).toBeGreaterThan(2);
  });

  it('does not idle while spoken to, nor with 0 seconds', () => {
    const stage = new Stage(briefOf({ idle: ['hm'], idleEverySeconds: 5, patienceMs: 400 }));
    stage.play('s...'.repeat(60));
    expect(stage.said).toBe('');
    const never = new Stage(briefOf({ idle: ['hm'], idleEverySeconds: 0 }));
    never.play('.'.repeat(500));
    expect(never.said).toBe('');
  });

  it('bids farewell after the clause it is in, and forgets the rest', () => {
    const stage = new Stage(briefOf({ greeting: [LINE], farewell: ['safe roads'] }), { greet: true });
    stage.play('..');
    stage.seat.turns.say('never said', 'queue');
    expect(stage.seat.turns.farewell()).toBe(true);
    stage.play('................');
    expect(stage.said).toBe('one two three, safe roads');
    expect(stage.events.at(-1)).toMatch(/stopped$/);
  });
  it('has no farewell when it has none, or is held', () => {
    expect(new Stage(briefOf()).seat.turns.farewell()).toBe(false);
    const held = new Stage(briefOf({ farewell: ['bye'] }));
    held.seat.turns.hold(true, 'cut');
    expect(held.seat.turns.farewell()).toBe(false);
  });
});

describe('told what to say', () => {
  it('queues after what it is saying', () => {
    const stage = new Stage(briefOf({ greeting: ['one two'] }), { greet: true });
    stage.play('.');
    stage.seat.turns.say('three four', 'queue');
    // A pause of 260 ms, three frames and a quarter, parts the two.
    expect(stage.play('..........')).toBe('NN...NNNN.');
    expect(stage.said).toBe('one two three four');
    expect(stage.events).toEqual(['0:started one two', '3:stopped', '3:started three four', '10:stopped']);
  });
  it('says it now instead', () => {
    const stage = new Stage(briefOf({ greeting: [LINE] }), { greet: true });
    stage.play('...');
    stage.seat.turns.say('three four', 'now');
    stage.play('....');
    expect(stage.events.slice(1)).toEqual([
      '3:interrupted, flush',
      '3:stopped',
      '3:started three four',
      '6:stopped',
    ]);
  });
  it('says it now without a pause, even when its speech comes as the line before has just ended', () => {
    const stage = new Stage(briefOf({ greeting: ['one two'] }), { greet: true });
    stage.speech.late = true;
    stage.play('..');
    stage.seat.turns.say('three', 'now');
    expect(stage.play('.')).toBe('N');
    stage.speech.deliver();
    expect(stage.play('.')).toBe('N');
  });
  it('queued, waits for the player to finish; now, does not', () => {
    const queued = new Stage(briefOf({ patienceMs: 400 }));
    queued.play('ss');
    queued.seat.turns.say('one', 'queue');
    expect(queued.play('ss .....')).toBe('......N');
    const now = new Stage(briefOf({ patienceMs: 400 }));
    now.play('ss');
    now.seat.turns.say('one', 'now');
    expect(now.play('ss')).toBe('NN');
  });
  it('says a queued line in place of a reply', () => {
    const stage = new Stage(briefOf({ patienceMs: 400, replies: ['aye'] }));
    stage.play('sss');
    stage.seat.turns.say('one', 'queue');
    stage.play('..... .... ....');
    expect(stage.said).toBe('one');
  });
  it('stops when interrupted by the game, and does not take it up again', () => {
    const stage = new Stage(briefOf({ greeting: [LINE], resume: true }), { greet: true });
    stage.play('..');
    stage.seat.turns.interrupt();
    expect(stage.play('..........')).toBe('..........');
    expect(stage.events.slice(1)).toEqual(['2:interrupted, flush', '2:stopped']);
  });
  it('has nothing to stop when silent', () => {
    const stage = new Stage(briefOf());
    stage.seat.turns.interrupt();
    stage.play('..');
    expect(stage.events).toEqual([]);
  });
  it('has only the next of many waiting lines made, and wants none of it when it goes', () => {
    const stage = new Stage(briefOf());
    stage.seat.turns.hold(true, 'cut');
    for (let i = 0; i < 20; i++) stage.seat.turns.say(`line${i} word`, 'queue');
    stage.play('...');
    expect(stage.seat.turns.waiting).toBe(20);
    expect(stage.speech.asked).toEqual(['line0 word']);
    stage.seat.turns.hold(false, 'cut');
    stage.play('.');
    expect(stage.seat.turns.waiting).toBe(19);
    expect(stage.speech.asked).toEqual(['line0 word', 'line1 word']);
    stage.seat.turns.end();
    expect(stage.speech.dropped).toEqual(['line1 word', 'line0 word']);
    expect(stage.seat.turns.waiting).toBe(0);
  });
  it('survives lines without a word in them', () => {
    const stage = new Stage(briefOf());
    stage.seat.turns.say('…', 'queue');
    stage.play('...');
    expect(stage.events).toEqual(['0:started …', '1:stopped']);
  });
});

describe('held', () => {
  it.each([
    ['cut', '....', ['2:interrupted, flush', '2:stopped']],
    ['finish_word', 'N...', ['3:stopped']],
  ] as const)('%s: ends its line and begins nothing', (manner, marks, events) => {
    const stage = new Stage(briefOf({ greeting: [LINE], replies: ['aye'], patienceMs: 100 }), {
      greet: true,
    });
    stage.play('..');
    stage.seat.turns.hold(true, manner);
    expect(stage.play('....')).toBe(marks);
    expect(stage.events.slice(1)).toEqual(events);
    expect(stage.play('sss .....')).toBe('........');
    expect(stage.frames.at(-1)!.turn).toBe('held');
  });
  it('answers again when released, but not to what was said meanwhile', () => {
    const stage = new Stage(briefOf({ replies: ['aye'], patienceMs: 400 }));
    stage.seat.turns.hold(true, 'cut');
    stage.play('sss ......');
    stage.seat.turns.hold(false, 'cut');
    expect(stage.play('.....')).toBe('.....');
    expect(stage.play('sss .....')).toBe('.......N');
  });
  it('takes its line up again when released, if that is its manner', () => {
    for (const resume of [true, false]) {
      const stage = new Stage(briefOf({ greeting: [LINE], resume }), { greet: true });
      stage.play('.......');
      stage.seat.turns.hold(true, 'cut');
      stage.play('....');
      stage.seat.turns.hold(false, 'cut');
      stage.play('....................');
      expect(stage.said).toBe(
        resume
          ? 'one two three, four four five six, seven eight nine, ten eleven twelve.'
          : 'one two three, four',
      );
    }
  });
});

describe('a changed brief', () => {
  const speaking = (parts = {}) => {
    const stage = new Stage(briefOf({ greeting: [LINE], ...parts }), { greet: true });
    stage.play('...');
    return stage;
  };
  const level = (stage: Stage, frame: number) => Math.max(...stage.frames[frame]!.pcm!);

  it('gives the next clause the new voice', () => {
    const stage = speaking();
    expect(stage.seat.turns.update(briefOf({ greeting: [LINE], base: 'rms' }))?.clause.text).toBe(
      'four five six,',
    );
    stage.play('.....');
    expect([3, 6, 7].map((frame) => level(stage, frame).toFixed(1))).toEqual(['0.1', '0.2', '0.2']);
  });

  it.each<[string, string, string]>([
    [
      'the next clause',
      'one two three, FOUR five, seven eight nine.',
      'one two three, FOUR five, seven eight nine.',
    ],
    [
      'only what was said',
      'ONE two three, four five six, seven eight nine.',
      'one two three, four five six, seven eight nine.',
    ],
    ['a clause put before', 'zero, one two three, four five.', 'one two three, four five.'],
    ['fewer clauses', 'short.', 'one two three,'],
    ['nothing to say', '…', 'one two three,'],
  ])('goes on in the new words: %s', (_, text, said) => {
    const stage = speaking();
    stage.seat.turns.update(briefOf({ greeting: [text] }));
    stage.play('.'.repeat(20));
    expect(stage.said).toBe(said);
  });

  it('reaches a clause that has not begun yet', () => {
    const stage = new Stage(briefOf({ greeting: [LINE] }), { greet: true });
    stage.play('.....');
    // Between "three," and "four".
    expect(stage.seat.turns.update(briefOf({ greeting: [LINE], base: 'rms' }))?.clause.text).toBe(
      'four five six,',
    );
    stage.play('...');
    expect(level(stage, 7)).toBeCloseTo(0.2, 4);
    expect(stage.said).toBe('one two three, four five');
  });

  it('reaches a clause that is still being made', () => {
    const stage = new Stage(briefOf({ greeting: [LINE] }), { greet: true, late: true });
    stage.speech.deliver();
    stage.play('.......');
    stage.speech.late = true;
    stage.play('.'.repeat(20));
    stage.seat.turns.update(briefOf({ greeting: [LINE], base: 'rms' }));
    stage.speech.deliver();
    stage.play('.'.repeat(40));
    stage.speech.deliver();
    stage.play('.'.repeat(40));
    expect(stage.said).toBe(LINE);
  });

  it('leaves a line alone that only moved in its list', () => {
    const stage = speaking();
    expect(stage.seat.turns.update(briefOf({ greeting: ['another', LINE] }))).toBeUndefined();
    stage.play('.'.repeat(20));
    expect(stage.said).toBe(LINE);
  });

  it('finishes a line that is no longer in its list', () => {
    const stage = speaking();
    stage.seat.turns.update(briefOf({ greeting: [] }));
    stage.play('.'.repeat(20));
    expect(stage.said).toBe(LINE);
  });

  it('reaches the prepared reply', () => {
    const stage = new Stage(briefOf({ replies: ['old words'], patienceMs: 100 }));
    stage.seat.turns.update(briefOf({ replies: ['new words'], patienceMs: 100, base: 'awb' }));
    stage.play('sss .....');
    expect(stage.said).toBe('new words');
    expect(level(stage, 4)).toBeCloseTo(0.2, 4);
  });

  it('reaches patience and manners at once', () => {
    const stage = new Stage(briefOf({ replies: ['aye'], patienceMs: 2000 }));
    stage.play('sss .....');
    stage.seat.turns.update(briefOf({ replies: ['aye'], patienceMs: 400 }));
    expect(stage.play('.')).toBe('N');
  });

  it('reaches a line that waits to be taken up again', () => {
    const stage = speaking({ resume: true });
    stage.play('ss');
    stage.seat.turns.update(briefOf({ greeting: [LINE], resume: true, base: 'kal16' }));
    stage.play('..... ....');
    expect(level(stage, stage.frames.length - 1)).toBeCloseTo(0.2, 4);
  });

  it('drops the speech it no longer wants', () => {
    const stage = speaking();
    stage.seat.turns.update(briefOf({ greeting: [LINE], base: 'rms' }));
    expect(stage.speech.dropped).toContain('seven eight nine,');
    stage.seat.turns.end();
  });
});

describe('the same seed', () => {
  it('gives the same frames', () => {
    const play = (seed: number) => {
      const brief = briefOf({
        greeting: ['a b', 'c'], replies: ['d e f', 'g', 'h i'], idle: ['j', 'k'], idleEverySeconds: 3,
        backchannels: ['l', 'm'], backchannelsPerMinute: 20, patienceMs: 300,
      }); // prettier-ignore
      const stage = new Stage(brief, { seed, greet: true });
      stage.play(('ssssssss . ssssssssssssssssssssssss . sssssssssssssss ' + '.'.repeat(70)).repeat(4));
      return stage.events;
    };
    expect(play(5)).toEqual(play(5));
    expect(play(5)).not.toEqual(play(6));
  });
});
