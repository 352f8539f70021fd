import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NpcVoiceError } from '../../sidecar/errors';
import { distFile } from '../../sidecar/paths';
import { splitClauses } from '../../sidecar/understudy/text/clauses';
import { Synthesiser, URGENCY } from '../../sidecar/understudy/tts/synthesiser';
import { Ears } from '../../sidecar/understudy/vad/ears';
import { playerSays } from './player';

let dir: string;
beforeAll(() => void (dir = mkdtempSync(path.join(os.tmpdir(), 'npc-voice-crash-'))));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A worker that dies on its nth message, the first `deaths` times that it lives. */
function mortal(worker: 'tts' | 'vad', nth: number, deaths: number): string {
  const file = path.join(dir, `${worker}-${nth}-${deaths}.mjs`);
  const mark = pathToFileURL(file + '.deaths').href;
  writeFileSync(
    file,
    `import { appendFileSync, existsSync, readFileSync } from 'node:fs';
     import { parentPort } from 'node:worker_threads';
     const mark = new URL(${JSON.stringify(mark)});
     const died = existsSync(mark) ? readFileSync(mark).length : 0;
     let messages = 0;
     parentPort.on('message', () => {
       if (++messages === ${nth} && died < ${deaths}) { appendFileSync(mark, 'x'); process.exit(3); }
     });
     await import(${JSON.stringify(pathToFileURL(distFile('workers', `${worker}.js`)).href)});`,
  );
  return file;
}

describe('a text-to-speech worker that dies', () => {
  const [clause] = splitClauses('Well met.');
  const [other] = splitClauses('Come in.');

  it('is started again, says what it was asked, and the death is told', async () => {
    const troubles: NpcVoiceError[] = [];
    const speech = new Synthesiser((error) => troubles.push(error), mortal('tts', 2, 1));
    await speech.start();
    const first = speech.request(clause!, { base: 'slt' }, URGENCY.now);
    await first.settled();
    const second = speech.request(other!, { base: 'slt' }, URGENCY.now);
    await second.settled();
    expect([first.state, second.state]).toEqual(['ready', 'ready']);
    expect(troubles.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      expect.stringMatching(/^internal: The understudy's text-to-speech stopped and is being started again/),
    ]);
    await speech.stop();
  });

  it('gives a clause up that kills it twice, and goes on with the next', async () => {
    const troubles: NpcVoiceError[] = [];
    const speech = new Synthesiser((error) => troubles.push(error), mortal('tts', 1, 2));
    await speech.start();
    const deadly = speech.request(clause!, { base: 'slt' }, URGENCY.now);
    const harmless = speech.request(other!, { base: 'slt' }, URGENCY.now);
    await speech.settled();
    expect([deadly.state, harmless.state]).toEqual(['failed', 'ready']);
    expect(troubles).toHaveLength(2);
    await speech.stop();
  });

  it('is model_unavailable’s cause when it never lives', async () => {
    const speech = new Synthesiser(() => {}, path.join(dir, 'not-there.mjs'));
    await expect(speech.start()).rejects.toThrow(/text-to-speech stopped/);
    await speech.stop();
  });
});

describe('a voice detection worker that dies', () => {
  it('is started again; the frame it died on is heard as silence', async () => {
    const troubles: NpcVoiceError[] = [];
    const ears = new Ears((error) => troubles.push(error), mortal('vad', 5, 1));
    await ears.start();
    const said = playerSays('Good evening to you all.');
    let heard = 0;
    for (let round = 0; round < 200 && heard === 0; round++) {
      for (const pcm of said) {
        await ears.hear([{ seat: 1, ear: 'mic', pcm }]);
        if (ears.heard(1).started) heard++;
      }
      // A worker takes a moment to start, and frames do not wait for it.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(heard).toBe(1);
    expect(troubles).toHaveLength(1);
    await ears.stop();
  });
});

describe('speech that is asked for', () => {
  it('is made once for all who want it, the most urgent first, and not for those who no longer do', async () => {
    const speech = new Synthesiser(() => {});
    const order: string[] = [];
    const ask = (text: string, urgency: 0 | 1 | 2 | 3 | 4) => {
      const utterance = speech.request(splitClauses(text)[0]!, { base: 'kal16' }, urgency);
      void utterance
        .settled()
        .then(() => order.push(`${text}${utterance.state === 'ready' ? '' : ' not made'}`));
      return utterance;
    };
    const spare = ask('spare', URGENCY.spare);
    const dropped = ask('dropped', URGENCY.ahead);
    ask('now', URGENCY.now);
    ask('next', URGENCY.next);
    expect(ask('spare', URGENCY.line)).toBe(spare);
    dropped.drop();
    await speech.start();
    await speech.settled();
    await Promise.resolve();
    expect(order.filter((text) => !text.includes('dropped'))).toEqual(['now', 'next', 'spare', 'spare']);
    expect(dropped.state).toBe('failed');
    expect(ask('now', URGENCY.now).state).toBe('ready');
    await speech.stop();
  });
});
