import { beforeAll, describe, expect, it } from 'vitest';
import {
  Generator,
  GREEDY,
  type Primed,
  type Prompt,
  type Sampling,
  type SpeechTokens,
} from '../../../sidecar/personaplex/generator';
import type { LanguageModel } from '../../../sidecar/personaplex/runtime';
import { openModel, randomWeights, SMALL, uniform } from '../graphs/models';

const TOKENS: SpeechTokens = {
  silence: [1, 2, 3, 4, 5, 6, 7, 8],
  sine: [8, 7, 6, 5, 4, 3, 2, 1],
  textPad: 3,
  spacerFrames: 2,
};
const LIVELY: Sampling = { textTemperature: 0.9, textTopK: 12, audioTemperature: 1, audioTopK: 16 };

const promptOf = (seed: number, text: readonly number[]): Prompt => {
  const next = uniform(seed);
  const codes = Int32Array.from({ length: 4 * 8 }, () => Math.floor(((next() + 1) / 2) * SMALL.card));
  return { voice: { kind: 'codes', codes }, text };
};

/** What a user says in a frame. */
const heard = (seed: number, frame: number): number[] => {
  const next = uniform(seed * 1000 + frame);
  return Array.from({ length: 8 }, () => Math.floor(((next() + 1) / 2) * SMALL.card));
};

/** Frames as plain numbers: text and codes. */
async function converse(
  generator: Generator,
  seat: number,
  frames: number,
  user: number,
  from = 0,
): Promise<number[][]> {
  const said: number[][] = [];
  for (let frame = from; frame < from + frames; frame++) {
    const ears: (number[] | undefined)[] = [];
    ears[seat] = heard(user, frame);
    const spoken = (await generator.step(ears))[seat]!;
    said.push([spoken.text, ...spoken.codes]);
  }
  return said;
}

let model: LanguageModel;
let primed: Primed;
const fresh = (seats = 1): Generator => new Generator(model, { seats, tokens: TOKENS });

beforeAll(async () => {
  // Room for conversations that outlive the window.
  model = await openModel({ ...SMALL, context: 24 }, randomWeights(SMALL));
  primed = await fresh().prime(promptOf(1, [9, 10]));
});

describe('a conversation', () => {
  it('says the same for the same seed, something else for another, and nothing twice by chance', async () => {
    const say = async (seed: number): Promise<number[][]> => {
      const generator = fresh();
      await generator.attach(0, primed, { seed, sampling: LIVELY });
      return converse(generator, 0, 30, 1);
    };
    const first = await say(5);
    expect(await say(5)).toEqual(first);
    expect(await say(6)).not.toEqual(first);
    expect(new Set(first.map((frame) => frame.join())).size).toBe(first.length);
  });

  it('begins with the prompt’s last acoustic codes', async () => {
    const generator = fresh();
    await generator.attach(0, primed, { seed: 1, sampling: LIVELY });
    expect([...generator.seat(0).agent.subarray(1)]).toEqual(TOKENS.silence.slice(1));
    expect([...generator.seat(0).user.subarray(1)]).toEqual(TOKENS.sine.slice(1));
    expect(generator.position(0)).toBe(primed.columns.count);
  });

  it('hears what is said to it, and silence for null', async () => {
    const branches = [heard(2, 0), null, TOKENS.silence].map(async (ear) => {
      const generator = fresh();
      await generator.attach(0, primed, { seed: 1, sampling: GREEDY });
      await generator.step([ear]);
      return JSON.stringify(await converse(generator, 0, 5, 3));
    });
    const [something, silence, codes] = await Promise.all(branches);
    expect(silence).toBe(codes);
    expect(something).not.toBe(silence);
  });

  it('is the same alone and beside others who come, go and rest', async () => {
    const alone = fresh();
    await alone.attach(0, primed, { seed: 3, sampling: LIVELY });
    const expected = await converse(alone, 0, 20, 1);

    const other = await alone.prime(promptOf(2, [30, 31, 32]));
    const scene = fresh(3);
    await scene.attach(0, other, { seed: 8, sampling: { ...LIVELY, audioTopK: 24, textTopK: 30 } });
    await scene.attach(2, primed, { seed: 3, sampling: LIVELY });
    const said: number[][] = [];
    for (let frame = 0; frame < 20; frame++) {
      if (frame === 6) await scene.attach(1, primed, { seed: 9, sampling: GREEDY });
      if (frame === 12) scene.detach(0);
      const rests = frame % 5 === 2;
      const spoken = await scene.step([heard(4, frame), rests ? undefined : null, heard(1, frame)]);
      expect(spoken[1] === undefined).toBe(rests || frame < 6);
      said.push([spoken[2]!.text, ...spoken[2]!.codes]);
    }
    expect(said).toEqual(expected);
  });

  it('says text it is made to say, and then goes on by itself', async () => {
    const generator = fresh();
    await generator.attach(0, primed, { seed: 2, sampling: LIVELY });
    generator.seat(0).forcedText.push(21, 22, 23);
    const texts = (await converse(generator, 0, 8, 1)).map(([text]) => text);
    // The first frame's text was drawn with the prompt.
    expect(texts.slice(1, 4)).toEqual([21, 22, 23]);
  });

  it('takes a change of sampling in the next frame', async () => {
    const generator = fresh();
    await generator.attach(0, primed, { seed: 2, sampling: GREEDY });
    const greedy = await converse(generator, 0, 4, 1);
    await generator.attach(0, primed, { seed: 2, sampling: GREEDY });
    await converse(generator, 0, 2, 1);
    generator.seat(0).sampling = LIVELY;
    expect(await converse(generator, 0, 2, 1, 2)).not.toEqual(greedy.slice(2));
  });

  it('needs a seat that is taken', () => {
    expect(() => fresh().seat(0)).toThrow('Seat 0 is free');
  });

  it('can do without a prompt, as plain Moshi does', async () => {
    const generator = fresh();
    const none = await generator.prime(null);
    await generator.attach(0, none, { seed: 1, sampling: LIVELY });
    const [first] = await converse(generator, 0, 3, 1);
    expect(first).toHaveLength(9);
    expect(generator.position(0)).toBe(1 + 3);
  });
});

describe('a refresh', () => {
  it('puts the last columns behind another prompt: as if the conversation had begun with it', async () => {
    const generator = fresh();
    await generator.attach(0, primed, { seed: 4, sampling: GREEDY });
    await converse(generator, 0, 40, 1);
    const state = generator.seat(0);

    const other = await generator.prime(promptOf(2, [30]));
    const refresh = await generator.refresh(0, other, 6);
    expect(refresh.remaining).toBe(6);
    await refresh.advance(4);
    // The conversation goes on while the new past is being computed.
    await converse(generator, 0, 1, 1, 40);
    expect(refresh.remaining).toBe(3);
    await expect(refresh.swap()).rejects.toThrow('3 columns to go');
    await refresh.advance(10);
    const kept = new Int32Array(7 * 17);
    state.copyColumns(state.columns - 7, state.columns, kept);
    await refresh.swap();
    expect(generator.position(0)).toBe(other.columns.count + 7);

    // The same past, computed in one go.
    const cache = model.newCache(1);
    await cache.restore(0, other.cache);
    await model.consume(cache, { tokens: kept, steps: 7 }, [true]);
    const next = new Int32Array(17);
    const direct = async (): Promise<number[]> => {
      const outlook = await model.consume(cache, { tokens: next, steps: 1 }, [true]);
      return [...(outlook.textLogits.data as Float32Array)];
    };
    const user = heard(1, 41);
    const text = state.text;
    const agent = [...state.agent];
    const before = [...state.user];
    await generator.step([user]);
    next.set([text, ...agent, user[0]!, ...before.slice(1)]);
    const logits = await direct();
    expect(state.text).toBe(logits.indexOf(Math.max(...logits)));
  });

  it('that is late forgets the older part of what it has not computed', async () => {
    const past = async (keep: number, most: number): Promise<number[]> => {
      const generator = fresh();
      await generator.attach(0, primed, { seed: 4, sampling: GREEDY });
      await converse(generator, 0, 40, 1);
      const refresh = await generator.refresh(0, primed, keep);
      refresh.skip(most);
      expect(refresh.remaining).toBe(Math.min(keep, most));
      await refresh.advance(100);
      await refresh.swap();
      expect(generator.position(0)).toBe(primed.columns.count + Math.min(keep, most));
      return (await converse(generator, 0, 5, 1, 40)).flat();
    };
    expect(await past(12, 6)).toEqual(await past(6, 100));
    expect(await past(12, 6)).not.toEqual(await past(12, 100));
  });

  it('keeps no more than fits behind the prompt', async () => {
    const generator = fresh();
    await generator.attach(0, primed, { seed: 4, sampling: GREEDY });
    await converse(generator, 0, 60, 1);
    const refresh = await generator.refresh(0, primed, 1000);
    expect(refresh.remaining).toBe(generator.window - primed.columns.count);
    await refresh.advance(1000);
    await refresh.swap();
    expect(generator.position(0)).toBe(generator.window);
  });
});

describe('a conversation of the published length', () => {
  it('goes on past frame 3001, and past a refresh there', async () => {
    const config = { ...SMALL, layers: 1, dim: 8, heads: 1, ffnHidden: 8, context: 3000 };
    const long = await openModel(config, randomWeights(config));
    const generator = new Generator(long, { seats: 1, tokens: TOKENS });
    const own = await generator.prime(promptOf(1, [9]));
    await generator.attach(0, own, { seed: 1, sampling: LIVELY });
    const frames = await converse(generator, 0, 3010, 1);
    expect(generator.position(0)).toBeGreaterThan(3001);
    expect(new Set(frames.slice(-20).map((frame) => frame.join())).size).toBe(20);
    const refresh = await generator.refresh(0, own, 300);
    while (refresh.remaining > 0) await refresh.advance(128);
    await refresh.swap();
    expect(generator.position(0)).toBe(own.columns.count + 300);
    expect(await converse(generator, 0, 3, 1, 3010)).toHaveLength(3);
  }, 60_000);
});
