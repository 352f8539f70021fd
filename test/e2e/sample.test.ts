/** The web sample as its README says to run it: its own server, the sidecar that starts with it, a real Chromium. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readWav, writeWav } from '../../sidecar/audio';
import { decodeMessage } from '../../sidecar/wire';
import { launch, noBrowser } from './support/browser';
import { sample, SampleServer } from './support/sample';
import { Sidecar, Workshop } from './support/sidecar';
import { recordSpeech } from './support/speech';

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('the server of the web sample', () => {
  let workshop: Workshop;
  let server: SampleServer;
  beforeAll(async () => {
    workshop = await Workshop.open();
    server = await SampleServer.start(path.join(workshop.dir, 'run'));
  });
  afterAll(async () => {
    await server?.stop();
    await workshop?.close();
  });

  it('starts a sidecar for its page, tells that page alone its token, and ends it with itself', async () => {
    const told = await server.ask('POST', '/sidecar', { origin: server.origin });
    const info = JSON.parse(await readFile(path.join(workshop.dir, 'run', 'sidecar.json'), 'utf8'));
    expect({ ...told, body: JSON.parse(told.body) }).toEqual({
      status: 200,
      body: { url: info.url, token: info.token },
    });
    for (const [method, headers] of [
      ['POST', { origin: 'http://evil.example' }],
      ['POST', {}],
      ['GET', { origin: server.origin }],
      ['POST', { origin: server.origin, host: 'evil.example' }],
    ] as const) {
      const refused = await server.ask(method, '/sidecar', headers);
      expect(refused.status).toBeGreaterThanOrEqual(400);
      expect(refused.body).not.toContain(info.token);
    }
    await server.stop();
    // The sidecar's own end takes a moment; that it comes is what counts.
    while (isRunning(info.pid)) await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('serves its own files and the built client, and nothing beside them', async () => {
    const other = await SampleServer.start(path.join(workshop.dir, 'run'));
    onTestFinished(() => other.stop());
    const status = async (pathname: string): Promise<number> => (await other.ask('GET', pathname)).status;
    expect(await status('/')).toBe(200);
    expect(await status('/tavern/voices.js')).toBe(200);
    expect(await status('/web/index.js')).toBe(200);
    for (const outside of [
      '/serve.mjs',
      '/tavern/../serve.mjs',
      '/tavern/%2e%2e/serve.mjs',
      '/constructor/x',
      '//tavern',
      '//',
      '/tavern/..\\serve.mjs',
    ])
      expect(await status(outside), outside).toBe(404);
  });

  it('says what to do where a sidecar runs that does not let its page in', async () => {
    const others = await Sidecar.start(workshop);
    onTestFinished(() => others.stop());
    const mine = await SampleServer.start(path.join(workshop.dir, 'run'));
    onTestFinished(() => mine.stop());
    const told = await mine.ask('POST', '/sidecar', { origin: mine.origin });
    expect(told.status).toBe(503);
    expect(JSON.parse(told.body)).toEqual({
      message: expect.stringContaining(`process ${others.process.pid}`),
      hint: expect.stringContaining(`npc-voice serve --allow-origin ${mine.origin}`),
    });
    await mine.stop();
    expect(isRunning(others.process.pid!)).toBe(true);
  });
});

describe('who hears whom in the web sample', async () => {
  const { gainAt, rangeIn } = await import(
    /* @vite-ignore */ pathToFileURL(path.join(sample, 'tavern/hearing.js')).href
  );
  const { isWallBetween } = await import(
    /* @vite-ignore */ pathToFileURL(path.join(sample, 'tavern/room.js')).href
  );

  it('falls in a line from 1 near by to 0 at the persona’s range', () => {
    expect([0, 1.5, 5.25, 9, 30].map((metres) => gainAt(metres, 9))).toEqual([1, 1, 0.5, 0, 0]);
  });
  it('takes the range from the persona file, however it is written there, or the schema’s default', () => {
    expect(rangeIn('hearing:\n  range_m: 9 # half deaf\n')).toBe(9);
    expect(rangeIn('hearing: { range_m: 7.5 }')).toBe(7.5);
    expect(rangeIn('# range_m: 3\nname: X')).toBe(12);
  });
  it('knows the wall between the nook and the room, and the way around it', () => {
    expect(isWallBetween({ x: 7, y: 7 }, { x: 13.4, y: 7.4 })).toBe(true);
    expect(isWallBetween({ x: 12, y: 5 }, { x: 13.4, y: 7.4 })).toBe(false);
  });
});

describe.skipIf(noBrowser)('the web sample', () => {
  let workshop: Workshop;
  let server: SampleServer;
  let browser: Browser;
  let page: Page;
  const runtimeDir = (): string => path.join(workshop.dir, 'run');
  /** What the page has sent to the sidecar. */
  const sent: unknown[] = [];

  beforeAll(async () => {
    workshop = await Workshop.open();
    server = await SampleServer.start(runtimeDir());
    const wav = path.join(workshop.dir, 'player.wav');
    await recordSpeech(wav, 0.5, 'Good evening to you.', 4);
    // The player says it over and over, for whoever is near enough to hear.
    const spoken = readWav(await readFile(wav));
    const once = spoken.mono();
    const often = new Float32Array(once.length * 40);
    for (let i = 0; i < 40; i++) often.set(once, i * once.length);
    await writeFile(wav, writeWav(often, spoken.rate));
    browser = await launch({ wav });
    page = await browser.newPage({ viewport: { width: 960, height: 540 } });
    page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => sent.push(decodeMessage(payload as Buffer))),
    );
    await page.goto(server.origin);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await workshop?.close();
  });

  const mute = (on: boolean): Promise<unknown> =>
    page.evaluate((on) => tavern.voices.microphone!.mute(on), on);
  /** Walks the player there, and lets the ears and the panners take notice. */
  async function walk(x: number, y: number): Promise<void> {
    await page.evaluate(([x, y]) => tavern.player.goTo(x, y), [x, y] as const);
    await page.waitForFunction(([x, y]) => Math.hypot(tavern.player.x - x, tavern.player.y - y) < 0.2, [
      x,
      y,
    ] as const);
    await page.waitForTimeout(500);
  }

  it('opens with three of the cast, and the innkeeper’s greeting is shown and moves her mouth', async () => {
    await page.click('#enter');
    await page.waitForFunction(() => tavern.people.every(({ npc }) => npc?.name));
    expect(await page.evaluate(() => tavern.people.map(({ npc, range }) => [npc!.name, range]))).toEqual([
      ['Aldric', 9],
      ['Marta', 12],
      ['Fitch', 18],
    ]);
    await page.waitForFunction(() => tavern.voices.microphone);
    await mute(true);
    await page.waitForFunction(() => document.querySelector('.bubble.marta')?.classList.contains('there'));
    await page.waitForFunction(() => tavern.people[1]!.npc!.mouth[10]! > 0.5);
    expect(await page.textContent('.bubble.marta')).toMatch(/\w/);
    expect(await page.isVisible('#problem')).toBe(false);
  });

  it('lets an NPC be heard less from afar, and hear the player less, by the persona’s range', async () => {
    /** The loudest two thirds of a second of Aldric's line at the player's ears. */
    const listen = (): Promise<number> =>
      page.evaluate(async () => {
        const { npc, speaker } = tavern.people[0]!;
        const analyser = new AnalyserNode(speaker!.panner.context, { fftSize: 32_768 });
        speaker!.panner.connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        let loudest = 0;
        let stopped = false;
        npc!.once('stopped', () => (stopped = true));
        await npc!.say('Forty years and the bellows still wheeze more than I do.', 'now');
        while (!stopped) {
          await new Promise(requestAnimationFrame);
          analyser.getFloatTimeDomainData(samples);
          loudest = Math.max(loudest, Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length));
        }
        speaker!.panner.disconnect(analyser);
        return loudest;
      });
    const ear = (): Promise<number> =>
      page.evaluate(() => tavern.hearing.told.get('aldric mic:player')!.gain);

    await walk(5, 4.6);
    const [near, hearsNear] = [await listen(), await ear()];
    await walk(15, 5.2);
    const [far, hearsFar] = [await listen(), await ear()];
    console.info(`Aldric at 1.6 m: ${near.toFixed(4)} RMS; at 11.6 m: ${far.toFixed(4)}`);
    expect(hearsNear).toBeGreaterThan(0.9);
    expect(hearsFar).toBe(0);
    expect(near).toBeGreaterThan(0.01);
    expect(far).toBeGreaterThan(0);
    // The panner's law at both distances gives a ninth; the head's own filter allows for some of it.
    expect(far / near).toBeLessThan(0.25);
  });

  it('has only those in earshot take notice when the player speaks', async () => {
    await walk(15, 5.2);
    const before = await page.evaluate(() => tavern.people.map(({ heard }) => heard));
    await mute(false);
    await page.waitForFunction((n) => tavern.people[2]!.heard >= n + 2, before[2]!);
    expect(await page.evaluate(() => tavern.people[0]!.heard)).toBe(before[0]);
    await walk(5, 4.6);
    await page.waitForFunction((n) => tavern.people[0]!.heard >= n + 1, before[0]!);
    await mute(true);
  });

  it('muffles what comes through the wall', async () => {
    await walk(9, 7.4);
    await page.waitForFunction(() => tavern.people[2]!.y > 6);
    await page.waitForFunction(() => tavern.hearing.told.get('fitch mic:player')?.muffle === 0.8);
    await walk(5, 4.6);
  });

  it('opens the shop when Aldric says where his wares are', async () => {
    // He may have said so of his own accord, in the conversation before.
    await page.evaluate(() => (document.querySelector<HTMLElement>('#shop')!.hidden = true));
    await page.evaluate(() =>
      tavern.people[0]!.npc!.say('Have a look, the good ones are on the rack.', 'now'),
    );
    await page.waitForSelector('#shop', { state: 'visible' });
    await page.click('#wares button:nth-child(2)');
    expect(await page.textContent('#gold')).toBe('35');
    await page.click('#close-shop');
  });

  it('lets two of the cast overhear each other only when the player asks for it', async () => {
    const routes = (): Promise<string[]> =>
      page.evaluate(() =>
        [...tavern.hearing.told]
          .filter(([key, { gain }]) => key.includes('npc:') && gain > 0)
          .map(([key]) => key),
      );
    expect(await routes()).toEqual([]);
    await page.check('#overhear');
    await page.waitForFunction(() => (tavern.hearing.told.get('marta npc:fitch')?.gain ?? 0) > 0);
    // Aldric stands too far off to overhear either.
    expect((await routes()).filter((key) => key.includes('aldric'))).toEqual([]);
    await page.uncheck('#overhear');
    await page.waitForFunction(() => tavern.hearing.told.get('marta npc:fitch')?.gain === 0);
  });

  it('holds everybody while the menu is open or the tab is away', async () => {
    const all = (held: boolean) =>
      page.waitForFunction((held) => tavern.people.every(({ npc }) => (npc!.turn === 'held') === held), held);
    await page.keyboard.press('Escape');
    await all(true);
    await page.click('#menu button');
    await all(false);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await all(true);
    await page.evaluate(() => {
      Reflect.deleteProperty(document, 'hidden');
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await all(false);
  });

  it('tells the cast of the weather', async () => {
    await page.click('#weather');
    await expect
      .poll(() => sent)
      .toContainEqual(expect.objectContaining({ t: 'set_state', vars: { weather: 'sunshine' } }));
    expect(await page.textContent('#weather')).toBe('Weather: sun');
  });

  it('mutes while the space bar is down', async () => {
    await mute(false);
    await page.keyboard.down(' ');
    await page.waitForSelector('#mute[data-state=muted]');
    await page.keyboard.up(' ');
    await page.waitForSelector('#mute[data-state=open]');
    await mute(true);
  });

  it('comes back, cast and microphone too, when its sidecar dies and another is started', async () => {
    const { pid } = JSON.parse(await readFile(path.join(runtimeDir(), 'sidecar.json'), 'utf8'));
    await page.evaluate(() =>
      tavern.people.forEach((person) => Object.assign(person, { before: person.npc })),
    );
    process.kill(pid, 'SIGKILL');
    await page.waitForSelector('#status:not([data-status=open])');
    await page.waitForFunction(
      () =>
        tavern.voices.microphone &&
        tavern.people.every((person) => person.npc && person.npc !== (person as { before?: unknown }).before),
    );
    await page.waitForSelector('#status[data-status=open]', { state: 'attached' });
    expect(await page.isVisible('#problem')).toBe(false);
  });
});

describe.skipIf(noBrowser)('the web sample without a microphone', () => {
  it('says so plainly, and the cast is there all the same', async () => {
    const workshop = await Workshop.open();
    const server = await SampleServer.start(path.join(workshop.dir, 'run'));
    const browser = await launch('refused');
    try {
      const page = await browser.newPage();
      await page.goto(server.origin);
      await page.click('#enter');
      await page.waitForSelector('#problem', { state: 'visible' });
      expect(await page.textContent('#problem-message')).toMatch(/microphone/i);
      await page.waitForFunction(() => tavern.people.every(({ npc }) => npc?.name));
      await page.click('#dismiss');
      await page.waitForSelector('.bubble.marta.there');
    } finally {
      await browser.close();
      await server.stop();
      await workshop.close();
    }
  });
});
