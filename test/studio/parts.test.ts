import { Text } from '@codemirror/state';
import { describe, expect, it } from 'vitest';
import { keysAbove } from '../../sidecar/studio/editor/complete';
import { diagnostics, difference } from '../../sidecar/studio/editor/marks';
import { Conversation, unsaid } from '../../sidecar/studio/scene/conversation';
import { addressWithKey } from '../../sidecar/studio/token';
import { meterPosition } from '../../sidecar/studio/view/level';
import { mouthPath, restingShape, shapeOf } from '../../sidecar/studio/view/mouth';
import { VISEMES, type Viseme } from '../../sidecar/wire';

const line = (heard: string, text = heard, cut = false) => ({
  who: 'aldric',
  n: 0,
  text,
  heard,
  cut,
  ms: 1000,
});

describe('addressWithKey', () => {
  const here = 'http://127.0.0.1:7766/';
  const token = 'A1-b2_c3.d4~e5f6';
  it.each([
    [`http://127.0.0.1:7790/#token=${token}`, `http://127.0.0.1:7790/#token=${token}`],
    [`Open the studio:  http://127.0.0.1:7790/#token=${token}\n`, `http://127.0.0.1:7790/#token=${token}`],
    [`#token=${token}`, `${here}#token=${token}`],
    [` ${token} `, `${here}#token=${token}`],
    ['http://127.0.0.1:7766/', undefined],
    [`javascript:alert(1)//#token=${token}`, `${here}#token=${token}`],
    [`http://[/#token=${token}`, undefined],
    ['nothing', undefined],
    ['', undefined],
  ])('%j is %j', (pasted, address) => expect(addressWithKey(pasted, here)).toBe(address));
});

describe('Conversation', () => {
  it("gathers an NPC's words into a line, and takes the sidecar's account of what was heard", () => {
    const conversation = new Conversation();
    for (const word of [' Well', ' met,', ' trav']) conversation.words('aldric', word, false);
    conversation.npcStopped('aldric');
    conversation.transcript('aldric', line('Well met, trav\u2014', 'Well met, traveller, sit down.', true));
    expect(conversation.entries).toMatchObject([
      { kind: 'npc', heard: 'Well met, trav\u2014', unsaid: 'eller, sit down.', cut: true, live: false },
    ]);
  });

  it('leaves a newer line alone when the account of an older one comes late', () => {
    const conversation = new Conversation();
    conversation.words('aldric', ' First.', false);
    conversation.npcStopped('aldric');
    conversation.words('aldric', ' Second', false);
    conversation.transcript('aldric', line('First.'));
    expect(conversation.entries).toMatchObject([
      { heard: 'First.', live: false },
      { heard: ' Second', live: true },
    ]);
  });

  it('marks how long the player spoke, once however many NPCs heard it, and never what was said', () => {
    const conversation = new Conversation();
    conversation.playerStarted();
    conversation.playerStarted();
    conversation.playerLevel(0.1);
    conversation.playerStopped(2300);
    conversation.playerStopped(2310);
    expect(conversation.entries).toEqual([{ kind: 'player', key: 0, levels: [0.1], ms: 2300, live: false }]);
  });

  it('keeps two hundred entries', () => {
    const conversation = new Conversation();
    for (let i = 0; i < 205; i++) conversation.note(String(i));
    expect(conversation.entries.length).toBe(200);
    expect(conversation.entries[0]).toMatchObject({ text: '5' });
  });
});

describe('unsaid', () => {
  it('is what lies beyond the cut', () => {
    expect(unsaid('Mind the sparks.', 'Mind the\u2014')).toBe(' sparks.');
    expect(unsaid('Mind the sparks.', '')).toBe('Mind the sparks.');
    expect(unsaid('Mind the sparks.', 'Something else')).toBe('');
  });
});

describe('shapeOf', () => {
  const shape = (viseme: Viseme) => {
    const weights = new Float32Array(VISEMES.length);
    weights[VISEMES.indexOf(viseme)] = 1;
    const out = restingShape();
    shapeOf(weights, out);
    return out;
  };
  it('shuts the lips for silence and for p, b, m, and opens them widest for aa', () => {
    expect(shape('sil').open).toBe(0);
    expect(shape('PP').open).toBe(0);
    for (const viseme of VISEMES) expect(shape(viseme).open).toBeLessThanOrEqual(shape('aa').open);
  });
  it('rounds ou and spreads E', () => {
    expect(shape('ou').round).toBe(1);
    expect(shape('E').wide).toBeGreaterThan(shape('ou').wide);
  });
  it('rests without any weight', () => {
    const out = { open: 1, wide: 1, round: 1 };
    shapeOf(new Float32Array(VISEMES.length), out);
    expect(out).toEqual(restingShape());
  });
  it('draws a closed path', () => {
    expect(mouthPath(shape('aa'))).toMatch(/^M[-\d. ]+C[-\d. ]+C[-\d. ]+Z$/);
  });
});

describe('meterPosition', () => {
  it('is logarithmic: full scale at the end, -54 dB and less at the start', () => {
    expect(meterPosition(1)).toBe(1);
    expect(meterPosition(0)).toBe(0);
    expect(meterPosition(10 ** (-27 / 20))).toBeCloseTo(0.5, 6);
    expect(meterPosition(0.0001)).toBe(0);
  });
});

describe('difference', () => {
  it('finds the one stretch that changed, so that the cursor elsewhere stays', () => {
    expect(difference('voice: low\nname: A', 'voice: high\nname: A')).toEqual({
      from: 7,
      to: 10,
      insert: 'high',
    });
    expect(difference('aa', 'aaa')).toEqual({ from: 2, to: 2, insert: 'a' });
    expect(difference('same', 'same')).toBeUndefined();
  });
});

describe('diagnostics', () => {
  const doc = Text.of(['name: A', 'vioce: x']);
  const problem = {
    severity: 'error',
    code: 'unknown_key',
    msg: 'No such key.',
    source: 'vioce: x',
  } as const;
  it('marks the words that are meant, with the hint', () => {
    expect(
      diagnostics(doc, [{ ...problem, hint: 'voice?', line: 2, col: 1, end_line: 2, end_col: 6 }]),
    ).toEqual([{ from: 8, to: 13, severity: 'error', message: 'No such key.\nvoice?' }]);
  });
  it('marks the whole line where the place is a point, and stays inside a text that has grown shorter', () => {
    expect(diagnostics(doc, [{ ...problem, line: 2, col: 3, end_line: 2, end_col: 3 }])[0]).toMatchObject({
      from: 8,
      to: 16,
    });
    expect(diagnostics(doc, [{ ...problem, line: 40, col: 9, end_line: 41, end_col: 1 }])[0]).toMatchObject({
      to: 16,
    });
  });
});

describe('keysAbove', () => {
  const doc = Text.of([
    'name: A',
    'lines:',
    '  greeting:',
    '    - Hello.',
    '  ',
    'cues:',
    '  - id: a',
    '    ',
  ]);
  it('is the path of keys a line lies under', () => {
    expect(keysAbove(doc, 5, 2)).toEqual(['lines']);
    expect(keysAbove(doc, 8, 4)).toEqual(['cues']);
    expect(keysAbove(doc, 2, 0)).toEqual([]);
  });
});
