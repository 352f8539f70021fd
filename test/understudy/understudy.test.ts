import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAME_SAMPLES } from '../../sidecar/audio';
import type { DuplexModel, SeatEvent, SeatOutput } from '../../sidecar/duplex';
import { createUnderstudy } from '../../sidecar/understudy';
import { briefOf } from './fakes';
import { frames, playerSays, whiteNoise } from './player';

const GREETING = 'Well met, stranger. Mind the sparks, will you? They bite, and so do I.';
const silence = (count: number) => Array<null>(count).fill(null);

let model: DuplexModel;
beforeAll(async () => {
  model = createUnderstudy({ realtime: false });
  await model.start();
});
afterAll(() => model.stop());

/** Plays frames to one seat and copies what came back. */
async function play(
  seat: number,
  heard: readonly (Float32Array | null)[],
  to = model,
  ear = 'mic',
): Promise<SeatOutput[]> {
  const outputs: SeatOutput[] = [];
  for (const pcm of heard) {
    const [output] = await to.step([{ seat, ear, pcm }]);
    outputs.push({ ...output!, pcm: output!.pcm?.slice() ?? null, mouth: output!.mouth?.slice() ?? null });
  }
  return outputs;
}
const eventsOf = (outputs: readonly SeatOutput[]) => outputs.flatMap(({ events }) => events);
const kindsOf = (outputs: readonly SeatOutput[]) => eventsOf(outputs).map(({ kind }) => kind);
const textOf = (outputs: readonly SeatOutput[]) => outputs.map(({ text }) => text).join('').trim(); // prettier-ignore

describe('a conversation', () => {
  it('is held: it greets, hears, answers, is cut in on', async () => {
    const seat = await model.seat(
      briefOf({
        greeting: [GREETING],
        replies: ['Aye, that may well be so, but I have work to do.'],
        patienceMs: 500,
      }),
      { seed: 1, greet: true },
    );
    const greeted = await play(seat, silence(90));
    expect(textOf(greeted)).toBe(GREETING);
    expect(greeted[0]!.events).toEqual([{ kind: 'npc_started', text: GREETING }]);

    const asked = await play(seat, playerSays('How much is the sword?'));
    expect(kindsOf(asked)).toEqual(['player_started', 'player_stopped', 'npc_started']);

    const cut = await play(
      seat,
      playerSays('Wait, that is not what I meant.', { before: 0, base: 'slt', after: 0 }),
    );
    expect(kindsOf(cut)).toContain('npc_interrupted');
    const at = cut.findIndex(({ events }) => events.some(({ kind }) => kind === 'npc_interrupted'));
    expect(cut.slice(at).every(({ pcm }) => pcm === null)).toBe(true);
    model.unseat(seat);
  });

  it('carries sound, mouth and words together', async () => {
    const seat = await model.seat(briefOf({ greeting: ['Mmm, papa.'] }), { seed: 1, greet: true });
    const outputs = await play(seat, silence(30));
    for (const { pcm, mouth, turn } of outputs.filter((output) => output.pcm)) {
      expect(pcm).toHaveLength(FRAME_SAMPLES);
      expect(mouth).toHaveLength(60);
      for (let step = 0; step < 4; step++) {
        expect(mouth!.subarray(15 * step, 15 * step + 15).reduce((sum, weight) => sum + weight, 0)).toBe(255);
      }
      expect(turn).toBe('speaking');
    }
    expect(textOf(outputs)).toBe('Mmm, papa.');
    const lips = outputs.map(({ mouth }) =>
      mouth ? Math.max(mouth[1]!, mouth[16]!, mouth[31]!, mouth[46]!) : 0,
    );
    expect(Math.max(...lips)).toBeGreaterThan(150);
    model.unseat(seat);
  });

  it('gives the same samples for the same seed, in a fresh model and in a warm one', async () => {
    const brief = briefOf({
      greeting: [GREETING, 'Door was open.'], replies: ['Aye.', 'Could be, could be.', 'Hm.'], idle: ['Quiet today.'],
      idleEverySeconds: 2, backchannels: ['Mm-hm.'], backchannelsPerMinute: 20, patienceMs: 300,
    }); // prettier-ignore
    const heard = [
      ...silence(20),
      ...playerSays('Tell me about the bridge, and the road, and what lies beyond them both.'),
      ...silence(60),
      ...playerSays('Stop.'),
    ];
    const record = async (to: DuplexModel, seed: number) => {
      const seat = await to.seat(brief, { seed, greet: true });
      const hash = createHash('sha256');
      const outputs = await play(seat, heard, to);
      for (const { pcm, mouth, text, events } of outputs) {
        hash.update(pcm ? new Uint8Array(pcm.buffer) : 'silence');
        hash.update(mouth ?? 'rest').update(text + JSON.stringify(events));
      }
      to.unseat(seat);
      return { hash: hash.digest('hex'), said: textOf(outputs) };
    };
    const fresh = createUnderstudy({ realtime: false });
    await fresh.start();
    const first = await record(fresh, 11);
    await fresh.stop();
    expect(first.said.length).toBeGreaterThan(30);
    expect(await record(model, 11)).toEqual(first);
    expect(await record(model, 11)).toEqual(first);
    expect((await record(model, 12)).hash).not.toBe(first.hash);
  });

  it('never waits for speech in real time, and says it when it is there', async () => {
    const live = createUnderstudy();
    await live.start();
    const seat = await live.seat(briefOf(), { seed: 1, greet: false });
    await play(seat, silence(3), live);
    live.say(seat, 'This was never said before in any voice whatsoever.', 'now');
    const outputs: SeatOutput[] = [];
    while (!kindsOf(outputs).includes('npc_stopped') && outputs.length < 4000) {
      outputs.push(...(await play(seat, [null], live)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(textOf(outputs)).toBe('This was never said before in any voice whatsoever.');
    await live.stop();
  });
});

describe('hearing', () => {
  const listener = async () => model.seat(briefOf(), { seed: 1, greet: false });
  const speech = playerSays('Good evening to you all.', { before: 800 });

  it.each(['slt', 'rms', 'awb', 'kal16'] as const)('hears %s speak', async (base) => {
    const seat = await listener();
    const outputs = await play(seat, playerSays('Good evening to you all.', { before: 800, base }));
    expect(kindsOf(outputs)).toEqual(['player_started', 'player_stopped']);
    const { ms } = eventsOf(outputs)[1] as SeatEvent & { ms: number };
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(1900);
    model.unseat(seat);
  });

  it('hears nobody in silence or in noise', async () => {
    const seat = await listener();
    expect(kindsOf(await play(seat, silence(30)))).toEqual([]);
    for (const level of [0.002, 0.02, 0.1])
      expect(kindsOf(await play(seat, frames(whiteNoise(6, level))))).toEqual([]);
    model.unseat(seat);
  });

  it('is shared by all who hear the same, and parted for those who do not', async () => {
    const seats = [await listener(), await listener(), await listener()];
    const heard: string[][] = [[], [], []];
    for (const pcm of speech) {
      const outputs = await model.step([
        { seat: seats[0]!, ear: 'mic', pcm },
        { seat: seats[1]!, ear: 'far', pcm: null },
        { seat: seats[2]!, ear: 'mic', pcm },
      ]);
      outputs.forEach(({ events, seat }, i) => {
        expect(seat).toBe(seats[i]);
        heard[i]!.push(...events.map(({ kind }) => kind));
      });
    }
    expect(heard).toEqual([['player_started', 'player_stopped'], [], ['player_started', 'player_stopped']]);
    for (const seat of seats) model.unseat(seat);
  });

  it('goes on through a change of ear: nobody starts speaking twice', async () => {
    const [one, two] = [await listener(), await listener()];
    const kinds: string[] = [];
    for (const [i, pcm] of speech.entries()) {
      const outputs = await model.step([
        { seat: one, ear: 'mic', pcm },
        { seat: two, ear: i < 15 ? 'mic' : i < 20 ? `own ${i}` : 'mic', pcm },
      ]);
      kinds.push(...outputs[1]!.events.map(({ kind }) => kind));
    }
    expect(kinds).toEqual(['player_started', 'player_stopped']);
    model.unseat(one);
    model.unseat(two);
  });

  it('forgets what a seat heard when it is freed; a freed seat says nothing', async () => {
    const seat = await listener();
    const step = model.step([{ seat, ear: 'mic', pcm: null }]);
    model.unseat(seat);
    expect((await step)[0]).toMatchObject({ seat, pcm: null, events: [] });
    expect(() => model.say(seat, 'anything', 'now')).toThrow(/no seat/);
  });
});

describe('a changed brief', () => {
  it('reaches the next clause of what it is saying, and says that it waited', async () => {
    const plain = await model.seat(briefOf({ greeting: [GREETING] }), { seed: 1, greet: true });
    const before = await play(plain, silence(90));
    const changed = await model.seat(briefOf({ greeting: [GREETING] }), { seed: 1, greet: true });
    const after = await play(changed, silence(3));
    const receipt = await model.update(changed, briefOf({ greeting: [GREETING], base: 'awb' }));
    expect(receipt.speed).toBe('quiet');
    expect(receipt.costMs).toBeGreaterThan(0);
    after.push(...(await play(changed, silence(87))));
    const same = (frame: number) => JSON.stringify(before[frame]!.pcm) === JSON.stringify(after[frame]!.pcm);
    const next = before.findIndex(({ text }) => text.includes('stranger'));
    for (let frame = 0; frame < next; frame++) expect(same(frame)).toBe(true);
    expect(same(next + 1)).toBe(false);
    expect(textOf(after)).toBe(GREETING);
    for (const seat of [plain, changed]) model.unseat(seat);
  });

  it('is instant for a silent NPC', async () => {
    const seat = await model.seat(briefOf({ replies: ['Aye.'] }), { seed: 1, greet: false });
    expect((await model.update(seat, briefOf({ replies: ['No.'], base: 'kal16' }))).speed).toBe('instant');
    model.unseat(seat);
  });
});

describe('what it says of itself', () => {
  it('is that it is scripted, and how many it can be', () => {
    expect(model.info).toMatchObject({ id: 'understudy', scripted: true });
    expect(model.info.about).toMatch(/understands nothing/);
    expect(model.info.capacity.npcs).toBeGreaterThanOrEqual(4);
    expect(model.info.capacity.why).toMatch(/ms/);
  });
});
