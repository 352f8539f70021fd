/** A real host process, real ONNX Runtime, a model small enough to run anywhere. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CharacterBrief, SeatEvent, SeatOptions, UpdateReceipt } from '../../../sidecar/duplex';
import { NpcVoiceError } from '../../../sidecar/errors';
import { PersonaPlex } from '../../../sidecar/personaplex/duplex/model';
import { Words } from '../../../sidecar/personaplex/duplex/words';
import { HostClient } from '../../../sidecar/personaplex/host';
import { importTinyModel, playerFrame, TINY_LM, tinyBrief, type TinyModel } from '../tiny-model';
import { Reference } from './reference';

let tiny: TinyModel;
let reference: Reference;
let model: PersonaPlex;
const open: PersonaPlex[] = [];
beforeAll(async () => {
  tiny = await importTinyModel();
  reference = await Reference.open(tiny);
  model = await start();
});
afterAll(async () => {
  await Promise.all(open.map((model) => model.stop()));
  await reference.model.close();
  tiny.remove();
});

async function start(
  options: Partial<ConstructorParameters<typeof PersonaPlex>[0]> = {},
): Promise<PersonaPlex> {
  const model = new PersonaPlex({ folder: tiny.folder, voices: [tiny.voices], realtime: false, ...options });
  open.push(model);
  await model.start();
  return model;
}

interface Said {
  text: string;
  samples: Float32Array[];
  events: SeatEvent[];
}
const silent: SeatOptions = { seed: 1, greet: false };

/** Steps one seat through what it hears. */
async function converse(
  model: PersonaPlex,
  seat: number,
  heard: readonly (Float32Array | null)[],
): Promise<Said> {
  const said: Said = { text: '', samples: [], events: [] };
  for (const pcm of heard) {
    const [out] = await model.step([{ seat, ear: 'player', pcm }]);
    said.text += out!.text;
    said.samples.push(out!.pcm?.slice() ?? new Float32Array(1920));
    said.events.push(...out!.events);
  }
  return said;
}
const player = (frames: number): Float32Array[] => Array.from({ length: frames }, (_, n) => playerFrame(n));
const nothing = (frames: number): null[] => Array.from({ length: frames }, () => null);
const withRole = (prompt: string): CharacterBrief => tinyBrief({ prompt });

describe('a conversation', () => {
  it('says what the generator says, sample by sample and word by word', async () => {
    const heard = [...player(12), ...nothing(5), ...player(8)];
    const expected = await reference.converse(tinyBrief(), heard);
    const seat = await model.seat(tinyBrief(), silent);
    const said = await converse(model, seat, heard);
    model.unseat(seat);
    const words = new Words(reference.tokenizer);
    expect(said.text).toBe(expected.map(({ text }) => words.push(text, text === 3 || text === 0)).join(''));
    expect(said.text).not.toBe('');
    said.samples.forEach((samples, n) => expect(samples, `frame ${n}`).toEqual(expected[n]!.samples));
  });

  it('is the same for two in a batch as for each alone', async () => {
    const briefs = [withRole('you sell ale.'), withRole('you guard the gate.')];
    const alone: Said[] = [];
    for (const brief of briefs) {
      const seat = await model.seat(brief, silent);
      alone.push(await converse(model, seat, player(15)));
      model.unseat(seat);
    }
    const seats = [await model.seat(briefs[0]!, silent), await model.seat(briefs[1]!, silent)];
    const together = seats.map((): Said => ({ text: '', samples: [], events: [] }));
    for (const pcm of player(15)) {
      const outputs = await model.step(seats.map((seat) => ({ seat, ear: 'player', pcm })));
      outputs.forEach((out, i) => {
        together[i]!.text += out.text;
        together[i]!.samples.push(out.pcm!.slice());
      });
    }
    seats.forEach((seat) => model.unseat(seat));
    expect(together.map(({ text }) => text)).toEqual(alone.map(({ text }) => text));
    expect(together.map(({ samples }) => samples)).toEqual(alone.map(({ samples }) => samples));
    expect(alone[0]!.text).not.toBe(alone[1]!.text);
  });

  it('is the same for the same seed, and another for another', async () => {
    const sampling = { textTemperature: 0.7, textTopK: 25, audioTemperature: 0.8, audioTopK: 40 };
    const once = async (on: PersonaPlex, seed: number): Promise<Said> => {
      const seat = await on.seat(tinyBrief({ sampling }), { seed, greet: false });
      const said = await converse(on, seat, player(10));
      on.unseat(seat);
      return said;
    };
    const [first, other] = [await once(model, 7), await once(model, 8)];
    const again = await once(await start(), 7);
    expect(again).toEqual(first);
    expect(other.text).not.toBe(first.text);
  });

  it('takes a seat that stays out of a step up where it was', async () => {
    const whole = await model.seat(tinyBrief(), silent);
    const rests = await model.seat(tinyBrief(), silent);
    const expected = await converse(model, whole, player(8));
    const before = await converse(model, rests, player(4));
    await converse(model, whole, nothing(3));
    const after = await converse(model, rests, player(8).slice(4));
    expect(before.text + after.text).toBe(expected.text);
    model.unseat(whole);
    model.unseat(rests);
  });

  it('refuses a voice that says nothing to it, and one that is not there', async () => {
    const voice = { id: 'mute', understudy: { base: 'slt' as const } };
    await expect(model.seat(tinyBrief({ voice }), silent)).rejects.toMatchObject({ code: 'voice_invalid' });
    const missing = { ...voice, personaplex: { prompt: 'NATM9' } };
    await expect(model.seat(tinyBrief({ voice: missing }), silent)).rejects.toMatchObject({
      code: 'unknown_voice',
    });
  });

  it('refuses a role that would leave no room for the conversation', async () => {
    await expect(model.seat(withRole('you talk on and on. '.repeat(12)), silent)).rejects.toMatchObject({
      code: 'persona_invalid',
      message: expect.stringContaining('399'),
    });
  });
});

describe('a packaged voice', () => {
  it('is spoken in, as one of its own', async () => {
    const voice = { ...tinyBrief().voice, personaplex: { prompt: 'tiny-voice.pt' } };
    const seat = await model.seat(tinyBrief({ voice }), silent);
    const other = await model.seat(tinyBrief(), silent);
    const said = await converse(model, seat, player(10));
    expect(said.samples).not.toEqual((await converse(model, other, player(10))).samples);
    model.unseat(seat);
    model.unseat(other);
  });
});

describe('plain Moshi', () => {
  it('talks as itself, whoever it is told to be', async () => {
    const moshi = await importTinyModel({ form: 'moshi' });
    try {
      const model = await start({ folder: moshi.folder });
      expect(model.info.about).toContain('it takes no role');
      const seat = await model.seat(tinyBrief(), silent);
      const said = await converse(model, seat, player(12));
      expect(said.samples.every((samples) => samples.some((sample) => sample !== 0))).toBe(true);
      expect(await model.update(seat, withRole('you guard the gate.'))).toMatchObject({ speed: 'instant' });
    } finally {
      moshi.remove();
    }
  });
});

describe('primed prompts', () => {
  it('are computed once for as many as share them', async () => {
    const before = await model.primedFigures();
    const seats = [await model.seat(withRole('you mend boots.'), silent)];
    for (let i = 0; i < 3; i++)
      seats.push(await model.seat(withRole('you mend nets.'), { ...silent, seed: i }));
    seats.forEach((seat) => model.unseat(seat));
    const after = await model.primedFigures();
    expect(after.misses - before.misses).toBe(2);
    expect(after.hits - before.hits).toBe(2);
    expect(after.bytes).toBeGreaterThan(before.bytes);
  });

  it('are dropped, longest unused first, over their bytes', async () => {
    const one = 70 * TINY_BYTES_PER_COLUMN;
    const model = await start({ primedBytes: 2 * one });
    for (const role of ['you sell ale.', 'you sell hay.', 'you sell tea.', 'you sell tea.', 'you sell ale.'])
      model.unseat(await model.seat(withRole(role), silent));
    // ale, hay, then tea drops ale; tea again is there; ale is computed anew and drops hay.
    expect(await model.primedFigures()).toMatchObject({ prompts: 2, misses: 4, hits: 1, evictions: 2 });
  });
});
/** 2 layers of keys and values, 64 wide, in float32. */
const TINY_BYTES_PER_COLUMN = 2 * 2 * 64 * 4;

describe('a changed persona', () => {
  it('changes at once what it was not primed with', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    const before = await model.primedFigures();
    const turnTaking = { ...tinyBrief().turnTaking, patienceMs: 300 };
    expect(await model.update(seat, tinyBrief({ turnTaking }))).toMatchObject({ speed: 'instant' });
    expect(await model.primedFigures()).toEqual(before);
    model.unseat(seat);
  });

  it('samples as it is told to from the next frame on', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    const greedy = await converse(model, seat, player(5));
    const sampling = { textTemperature: 5, textTopK: 90, audioTemperature: 1, audioTopK: 64 };
    await model.update(seat, tinyBrief({ sampling }));
    const sampled = await converse(model, seat, player(10).slice(5));
    const expected = (await reference.converse(tinyBrief(), player(10))).map(({ samples }) => samples);
    expect(greedy.samples).toEqual(expected.slice(0, 5));
    expect(sampled.samples).not.toEqual(expected.slice(5));
  });

  it('goes on with the same conversation in its new role', async () => {
    // Sampled, for the likeliest tokens of so small a model hardly depend on who it is.
    const sampling = { textTemperature: 1, textTopK: 96, audioTemperature: 1, audioTopK: 64 };
    const voice = { ...tinyBrief().voice, personaplex: { prompt: 'high.wav' } };
    const old = tinyBrief({ sampling });
    const other = tinyBrief({ sampling, prompt: 'you guard the gate of the old town by night.', voice });
    const heard = player(40);
    const seat = await model.seat(old, { seed: 0, greet: false });
    const before = await converse(model, seat, heard.slice(0, 20));
    expect(await model.update(seat, other)).toMatchObject({ speed: 'reprime' });
    const after = await converse(model, seat, heard.slice(20));
    const expected = await reference.converse(old, heard, { at: 20, brief: other });
    expect([...before.samples, ...after.samples]).toEqual(expected.map(({ samples }) => samples));
    const unchanged = await reference.converse(old, heard);
    expect(unchanged.map(({ samples }) => samples)).not.toEqual(expected.map(({ samples }) => samples));
  });

  it('takes up facts in a quiet frame', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    const knowing = tinyBrief({ prompt: 'you sell ale. the well is dry.', facts: ['the well is dry.'] });
    expect(await model.update(seat, knowing)).toMatchObject({ speed: 'quiet' });
  });

  it('takes them up, in real time, only when nobody speaks', async () => {
    const live = await start({ realtime: true });
    expect(live.info.capacity.why).toMatch(/^One NPC takes up to [\d.]+ ms of each 80 ms frame/);
    const seat = await live.seat(tinyBrief(), silent);
    await converse(live, seat, player(6));
    let receipt: UpdateReceipt | undefined;
    const knowing = tinyBrief({ prompt: 'you sell ale. the well is dry.', facts: ['the well is dry.'] });
    const updated = live.update(seat, knowing).then((value) => (receipt = value));
    for (let tries = 0; tries < 40; tries++) {
      await converse(live, seat, player(1));
      await sleep(2);
    }
    expect(receipt).toBeUndefined();
    live.hold(seat, true, 'cut');
    await converse(live, seat, nothing(12));
    await updated;
    expect(receipt).toMatchObject({ speed: 'quiet' });
  });

  it('takes up a recording that was replaced under its name', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'npc-voice-voices-'));
    const model = await start({ voices: [folder] });
    const voiceOf = (version: string) => ({ ...tinyBrief().voice, personaplex: { prompt: 'own.wav', version } });
    copyFileSync(path.join(tiny.voices, 'low.wav'), path.join(folder, 'own.wav'));
    const seat = await model.seat(tinyBrief({ voice: voiceOf('1') }), silent);
    copyFileSync(path.join(tiny.voices, 'high.wav'), path.join(folder, 'own.wav'));
    expect(await model.update(seat, tinyBrief({ voice: voiceOf('2') }))).toMatchObject({ speed: 'reprime' });
    expect((await model.primedFigures()).prompts).toBe(2);
    rmSync(folder, { recursive: true });
  }); // prettier-ignore

  it('stays as it was when the new voice cannot be had', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    const voice = { ...tinyBrief().voice, personaplex: { prompt: 'nobody.wav' } };
    await expect(model.update(seat, tinyBrief({ voice }))).rejects.toMatchObject({ code: 'unknown_voice' });
    const said = await converse(model, seat, player(5));
    const expected = await reference.converse(tinyBrief(), player(5));
    expect(said.samples).toEqual(expected.map(({ samples }) => samples));
  });
});

describe('conversations that began together', () => {
  it('are moved behind their prompts one after another, and each before its window ends', async () => {
    const model = await start();
    const seats = [1, 2, 3].map((seed) => model.seat(tinyBrief(), { seed, greet: false }));
    const inputs = (await Promise.all(seats)).map((seat) => ({ seat, ear: 'player', pcm: null }));
    const refreshedAt: number[] = [];
    for (let frame = 0; refreshedAt.length < 3 && frame < TINY_LM.context; frame++) {
      const before = model.refreshed;
      await model.step(inputs);
      for (let n = before; n < model.refreshed; n++) refreshedAt.push(frame);
    }
    expect(refreshedAt).toHaveLength(3);
    expect(refreshedAt[1]! - refreshedAt[0]!).toBeGreaterThanOrEqual(5);
    expect(refreshedAt[2]! - refreshedAt[1]!).toBeGreaterThanOrEqual(5);
  });
});

describe('what a game tells it', () => {
  it('says a given line, and tells when it begins', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    await converse(model, seat, nothing(3));
    model.say(seat, 'the well is dry.', 'now');
    const said = await converse(model, seat, nothing(40));
    expect(said.text).toContain(' the well is dry.');
    expect(said.events).toContainEqual({ kind: 'npc_started', text: 'the well is dry.' });
    model.unseat(seat);
  });

  it('greets with a line of its persona, the same for the same seed', async () => {
    const lines = { ...tinyBrief().lines, greeting: ['well met.', 'good day.'] };
    const greeting = async (seed: number): Promise<string> => {
      const seat = await model.seat(tinyBrief({ lines }), { seed, greet: true });
      const { events } = await converse(model, seat, nothing(3));
      model.unseat(seat);
      return events.flatMap((event) => (event.kind === 'npc_started' ? [event.text] : []))[0]!;
    };
    expect([await greeting(0), await greeting(1), await greeting(2)]).toEqual([
      'well met.',
      'good day.',
      'well met.',
    ]);
  });

  it('says farewell when its persona has one', async () => {
    const lines = { ...tinyBrief().lines, farewell: ['safe roads.'] };
    const mute = await model.seat(tinyBrief(), silent);
    expect(model.farewell(mute)).toBe(false);
    const seat = await model.seat(tinyBrief({ lines }), silent);
    expect(model.farewell(seat)).toBe(true);
    expect((await converse(model, seat, nothing(40))).text).toContain(' safe roads.');
    model.unseat(seat);
    model.unseat(mute);
  });

  it('says farewell instead of a line that was about to begin', async () => {
    const lines = { ...tinyBrief().lines, farewell: ['safe roads.'] };
    const seat = await model.seat(tinyBrief({ lines }), silent);
    model.say(seat, 'the old well is dry again.', 'now');
    // The frame that begins the line is being computed.
    const frame = model.step([{ seat, ear: 'player', pcm: null }]);
    expect(model.farewell(seat)).toBe(true);
    await frame;
    expect((await converse(model, seat, nothing(40))).text).toContain(' safe roads.');
    model.unseat(seat);
  });

  it('falls silent in the frame after it is interrupted, and says so once', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    model.say(seat, 'the old well is dry again.', 'now');
    await converse(model, seat, nothing(6));
    model.interrupt(seat);
    const [out] = await model.step([{ seat, ear: 'player', pcm: null }]);
    expect(out).toMatchObject({ pcm: null, text: '', events: [{ kind: 'npc_interrupted', flush: true }] });
    const { events, text } = await converse(model, seat, nothing(6));
    expect(events.filter(({ kind }) => kind === 'npc_interrupted')).toEqual([]);
    expect(text).toBe('');
    model.unseat(seat);
  });

  it('is silent while it is held, and speaks again afterwards', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    await converse(model, seat, nothing(4));
    model.hold(seat, true, 'cut');
    await converse(model, seat, nothing(3));
    for (let n = 0; n < 10; n++) {
      const [out] = await model.step([{ seat, ear: 'player', pcm: playerFrame(n) }]);
      expect(out).toMatchObject({ pcm: null, text: '', mouth: null, turn: 'held' });
    }
    model.hold(seat, false, 'cut');
    expect((await converse(model, seat, nothing(30))).text).not.toBe('');
    model.unseat(seat);
  });

  it('ends its word before it is held, when told so', async () => {
    const seat = await model.seat(tinyBrief(), silent);
    model.say(seat, 'the well is dry.', 'now');
    await converse(model, seat, nothing(2));
    model.hold(seat, true, 'finish_word');
    const said = await converse(model, seat, nothing(12));
    expect(said.text).toBe(' the');
    expect(said.samples.at(-1)!.every((sample) => sample === 0)).toBe(true);
    model.unseat(seat);
  });
});

describe('a host that dies', () => {
  /** Steps until the host is back, with nothing heard; failures told on the way. */
  async function outlast(model: PersonaPlex, seat: number): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let tries = 0; tries < 2000; tries++) {
      try {
        const [out] = await model.step([{ seat, ear: 'player', pcm: null }]);
        if (out!.pcm !== null) {
          revived = { text: out!.text, samples: out!.pcm.slice() };
          return failures;
        }
      } catch (error) {
        failures.push(error);
      }
      await sleep(10);
    }
    throw new Error('the host did not come back');
  }
  let revived: { text: string; samples: Float32Array };

  it('is replaced, and the conversation goes on where it was, after one failure', async () => {
    const model = await start({ realtime: true });
    const seat = await model.seat(tinyBrief(), silent);
    const heard = [...player(10), ...nothing(30)];
    const before = await converse(model, seat, heard.slice(0, 20));
    const pid = model.hostPid!;
    process.kill(pid, 'SIGKILL');
    const failures = await outlast(model, seat);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toBeInstanceOf(NpcVoiceError);
    expect(failures[0]).toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining('SIGKILL'),
    });
    expect(model.hostPid).not.toBe(pid);
    const after = await converse(model, seat, heard.slice(21));
    const expected = await reference.converse(tinyBrief(), heard);
    const words = new Words(reference.tokenizer);
    expect(before.text + revived.text + after.text).toBe(
      expected.map(({ text }) => words.push(text, text === 3 || text === 0)).join(''),
    );
  });

  it('is nobody’s trouble when nobody was there', async () => {
    const model = await start({ realtime: true });
    const pid = model.hostPid!;
    process.kill(pid, 'SIGKILL');
    for (let tries = 0; tries < 2000; tries++) {
      if ((await model.primedFigures().catch(() => null)) && model.hostPid !== pid) break;
      await sleep(10);
    }
    const seat = await model.seat(tinyBrief(), silent);
    expect((await converse(model, seat, nothing(3))).samples).toHaveLength(3);
    // And the next death is told all the same.
    process.kill(model.hostPid!, 'SIGKILL');
    expect(await outlast(model, seat)).toHaveLength(1);
  });

  it('leaves no seat to an NPC that left while it was given back', async () => {
    const model = await start({ realtime: true });
    const stays = await model.seat(tinyBrief(), silent);
    // Its prompt is another, so it takes a while to give it back.
    const leaves = await model.seat(withRole('you guard the gate.'), silent);
    const { askAnyway } = HostClient.prototype;
    let client!: HostClient;
    const spy = vi.spyOn(HostClient.prototype, 'askAnyway').mockImplementation(function (this: HostClient, call, ask) {
      client = this;
      const answer = askAnyway.call(this, call, ask);
      if (call === 'restore' && (ask as { seat: number }).seat === leaves) model.unseat(leaves);
      return answer as never;
    });
    try {
      process.kill(model.hostPid!, 'SIGKILL');
      await outlast(model, stays);
    } finally {
      spy.mockRestore();
    }
    const { sampling } = tinyBrief();
    expect(await client.ask('tune', { seat: stays, sampling })).toBeNull();
    await expect(client.ask('tune', { seat: leaves, sampling })).rejects.toThrow(`no seat ${leaves}`);
  }); // prettier-ignore

  it('is found out when it hangs', async () => {
    const model = await start({ realtime: true, limits: { stepMs: 500 } });
    const seat = await model.seat(tinyBrief(), silent);
    await converse(model, seat, player(3));
    process.kill(model.hostPid!, 'SIGSTOP');
    const failures = await outlast(model, seat);
    expect(failures).toEqual([
      expect.objectContaining({ message: expect.stringContaining('no answer in 0.5 s') }),
    ]);
  });

  it('is not waited for at the start when it cannot load', async () => {
    const model = new PersonaPlex({ folder: `${tiny.folder}-none` });
    await expect(model.start()).rejects.toMatchObject({ code: 'model_unavailable' });
    const other = new PersonaPlex({ folder: tiny.folder, ep: 'webgpu' });
    await expect(other.start()).rejects.toMatchObject({
      code: 'model_unavailable',
      message: 'The model tiny was imported for cpu, not for webgpu.',
    });
    expect([model.hostPid, other.hostPid]).toEqual([undefined, undefined]);
  });
});
