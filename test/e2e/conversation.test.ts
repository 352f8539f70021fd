/**
 * A game's page, a real Chromium, a real sidecar: what a player hears. All times are samples of one recording, in
 * which the NPC's voice and the microphone lie side by side.
 */
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launch, noBrowser } from './support/browser';
import { GameSite, openGame, recording, told, type GameEvent } from './support/game-page';
import { bandPower, loudness, onset, pitch, silence } from './support/listening';
import { Sidecar, TOKEN, Workshop } from './support/sidecar';
import { recordSpeech } from './support/speech';

const TELLER = (voice: string): string => `
name: Teller
role: You enjoy having a good conversation. You are Teller, and you tell one long story to whoever comes.
voice: ${voice}
turn_taking: { patience_ms: 500, overlap: yield, backchannels_per_minute: 0 }
cues: [{ id: storm, says: [a storm] }]
lines:
  greeting:
    - >-
      Long ago before the mill was built a storm came over the mountain and stayed nine days and nights, and the
      river rose until the old bridge broke and every man and woman carried stones from morning until evening,
      and when the water turned away the miller said he would build where the river had bowed before them, and
      there it stands to this day with its wheel going round and round and round for as long as there is water.
  farewell: [Farewell and mind the bridge.]
  replies: [Now then. Where was I.]
  interrupted: [Very well. I am listening.]
  idle_every_s: 0
`;
const VOICE = (base: string, pitchHz: number): string => `
name: Voice
understudy: { base: ${base}, pitch_hz: ${pitchHz}, pitch_range_hz: 8 }
`;
/** Quiet until the story is well under way, then the player cuts in. */
const QUIET_S = 3;

const seconds = (event: GameEvent, rate: number): number => event.at / rate;

describe.skipIf(noBrowser)('a conversation in a browser', () => {
  let workshop: Workshop;
  let sidecar: Sidecar;
  let site: GameSite;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    workshop = await Workshop.open();
    await workshop.writeVoice('low', VOICE('kal16', 90));
    await workshop.writeVoice('high', VOICE('slt', 230));
    site = await GameSite.open();
    sidecar = await Sidecar.start(workshop, { allowOrigins: [site.origin] });
    const wav = path.join(workshop.dir, 'player.wav');
    await recordSpeech(wav, QUIET_S, 'Excuse me, but what was the name of the miller in your story?');
    browser = await launch({ wav });
  });
  afterAll(async () => {
    await browser?.close();
    await sidecar?.stop();
    site?.close();
    await workshop?.close();
  });
  beforeEach(async () => {
    await workshop.write('teller', TELLER('low'));
    page = await browser.newPage();
    await openGame(page, site);
    await page.evaluate(([url, token]) => window.game.connect({ url, token }), [sidecar.url, TOKEN] as const);
  });
  afterEach(async () => {
    await page.evaluate(() => window.game.voice.close()).catch(() => {});
    await page.close();
  });

  it("plays the NPC's voice: loud enough, at its pitch, with nothing above the band it was sent in", async () => {
    await page.evaluate(() => window.game.attach('teller'));
    await told(page, 'caption', 12);
    const { npc, rate } = await recording(page);
    const start = onset(npc, rate)!;
    const spoken = npc.subarray(Math.round(start * rate));
    const levels = [...loudness(spoken, rate)].sort((a, b) => a - b);
    expect(levels[Math.floor(levels.length * 0.9)]).toBeGreaterThan(0.05);
    expect(Math.max(...levels)).toBeLessThan(0.7);
    expect(pitch(npc, rate, start, start + 4)).toBeGreaterThan(75);
    expect(pitch(npc, rate, start, start + 4)).toBeLessThan(110);
    // 24 kHz on the wire: all of it lies below 12 kHz, whatever the context's own rate.
    const below = bandPower(npc, rate, 100, 8000);
    const above = bandPower(npc, rate, 12_600, rate / 2 - 500);
    expect(10 * Math.log10(above / below)).toBeLessThan(-60);
  });

  it('shows each caption when its words are heard, moves the mouth while it sounds and rests it after', async () => {
    await page.evaluate(() => window.game.attach('teller', { greet: false }));
    await page.waitForTimeout(800);
    await page.evaluate(() => window.game.npc.say('Bell.'));
    await told(page, 'stopped');
    await page.waitForTimeout(800);
    await page.evaluate(() => window.game.npc.say('Papa, open up.'));
    await told(page, 'stopped', 2);
    await page.waitForTimeout(500);
    const { npc, rate, events } = await recording(page);

    const captions = events.filter(({ type }) => type === 'caption');
    const first = onset(npc, rate)!;
    const second = onset(npc, rate, silence(npc, rate, first, 0.5)!)!;
    expect(captions.map(({ text }) => text).join('')).toBe(' Bell. Papa, open up.');
    expect(captions[1]!.line).toMatch(/^Papa,/);
    // Within two frames: a word is stamped with the frame in which it begins.
    expect(Math.abs(seconds(captions[0]!, rate) - first)).toBeLessThan(0.16);
    expect(Math.abs(seconds(captions[1]!, rate) - second)).toBeLessThan(0.16);

    const mouths = events.filter(({ type }) => type === 'mouth');
    const levels = loudness(npc, rate);
    const level = (event: GameEvent): number => levels[Math.floor(seconds(event, rate) * 100)] ?? 0;
    const open = mouths.filter(({ jaw }) => (jaw as number) > 0.5);
    expect(open.length).toBeGreaterThan(5);
    expect(open.filter((event) => level(event) > 0.02).length / open.length).toBeGreaterThan(0.7);
    expect(mouths.at(-1)).toMatchObject({ rest: 1, jaw: 0 });
  });

  it('lets a farewell be heard to its last word before the NPC is gone', async () => {
    await page.evaluate(() => window.game.attach('teller', { greet: false }));
    await page.waitForTimeout(500);
    await page.evaluate(() => window.game.npc.detach({ farewell: true }));
    const gone = await told(page, 'detached');
    const { npc, rate, events } = await recording(page);
    const words = events.filter(({ type }) => type === 'caption').map(({ text }) => text);
    expect(words.join('')).toBe(' Farewell and mind the bridge.');
    const last = onset(npc, rate)!;
    expect(silence(npc, rate, last, 0.1) ?? npc.length / rate).toBeLessThanOrEqual(seconds(gone, rate) + 0.1);
  });

  it('tells the game a cue when its words are heard', async () => {
    await page.evaluate(() => window.game.attach('teller'));
    const cue = await told(page, 'cue');
    const { events } = await recording(page);
    expect(cue.id).toBe('storm');
    const heard = events.filter(({ type, at }) => type === 'caption' && at <= cue.at).map(({ text }) => text);
    expect(heard.join('')).toMatch(/a storm$/);
  });

  it('falls silent when the player cuts in, and what was cut is known', async () => {
    await page.evaluate(() => window.game.attach('teller'));
    await told(page, 'caption', 3);
    await page.evaluate(() => window.game.openMicrophone());
    const interrupted = await told(page, 'interrupted');
    await told(page, 'transcript');
    await told(page, 'started', 2);
    const { npc, mic, rate, events } = await recording(page);

    const cutIn = onset(mic, rate)!;
    const quiet = silence(npc, rate, cutIn, 0.4)!;
    const wasSpeaking = loudness(npc, rate).subarray(
      Math.round((cutIn - 0.5) * 100),
      Math.round(cutIn * 100),
    );
    expect(Math.max(...wasSpeaking)).toBeGreaterThan(0.02);
    const after = (at: number): string => `${Math.round((at - cutIn) * 1000)} ms`;
    console.info(
      `cut in on, the NPC yields after ${after(seconds(interrupted, rate))} and is silent after ${after(quiet)}`,
    );
    // On the stream's own clock: the fade, and the block in which the flush arrived.
    expect(quiet - seconds(interrupted, rate)).toBeLessThan(0.15);
    expect(quiet).toBeGreaterThan(cutIn);
    // It says nothing more until the player has finished.
    const next = onset(npc, rate, quiet)!;
    const finished = silence(mic, rate, cutIn, 0.4)!;
    expect(next).toBeGreaterThan(finished);

    const line = events.find(({ type, who }) => type === 'transcript' && who === 'teller')!;
    expect(line).toMatchObject({ cut: true });
    expect((line.text as string).startsWith((line.heard as string).replace(/\u2014$/, ''))).toBe(true);
    expect((line.heard as string).length).toBeLessThan((line.text as string).length);
  });

  it('speaks on in another voice when its file is saved with one', async () => {
    await page.evaluate(() => window.game.attach('teller'));
    await told(page, 'caption', 6);
    await workshop.write('teller', TELLER('high'));
    const changed = await told(page, 'personaChanged');
    const before = (await page.evaluate(() => window.game.events)).filter(
      ({ type }) => type === 'caption',
    ).length;
    await told(page, 'caption', before + 14);
    const { npc, rate } = await recording(page);
    const end = npc.length / rate;
    expect(changed).toMatchObject({ persona: 'teller', changed: ['voice'] });
    expect(pitch(npc, rate, 0, seconds(changed, rate))).toBeLessThan(110);
    expect(pitch(npc, rate, end - 2.5, end)).toBeGreaterThan(190);
  });

  it('comes back after the sidecar was killed and started again, with its NPC and its microphone', async () => {
    await page.evaluate(() => window.game.attach('teller', { greet: false }));
    await page.evaluate(() => window.game.openMicrophone());
    const { port } = sidecar;
    await sidecar.stop('SIGKILL');
    await told(page, 'connection', 1);
    sidecar = await Sidecar.start(workshop, { port, allowOrigins: [site.origin] });
    await told(page, 'reattached');
    await page.evaluate(() => window.game.microphone.mute(true));
    const { events: earlier, npc: heard, rate } = await recording(page);
    await page.evaluate(() => window.game.npc.say('Here I am again.'));
    await told(page, 'started', earlier.filter(({ type }) => type === 'started').length + 1);
    await told(page, 'stopped', earlier.filter(({ type }) => type === 'stopped').length + 1);
    const { npc, events } = await recording(page);
    expect(onset(npc, rate, heard.length / rate)).toBeDefined();
    expect(events.filter(({ type }) => type === 'connection').map(({ status }) => status)).toEqual(
      expect.arrayContaining(['waiting', 'connecting', 'open']),
    );
    expect(events.filter(({ type }) => type === 'error')).toEqual([]);
    const { mics } = await page.evaluate(() => window.game.voice.stats());
    expect(mics[0]!.packets).toBeGreaterThan(0);
  });
});

describe.skipIf(noBrowser)('a page of an origin that is not allowed', () => {
  it('cannot connect: the upgrade is refused with 403, and the page is told what to do', async () => {
    const workshop = await Workshop.open();
    const sidecar = await Sidecar.start(workshop);
    const site = await GameSite.open();
    const browser = await launch('none');
    try {
      const page = await browser.newPage();
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      await openGame(page, site);
      const refused = await page.evaluate(
        ([url, token]) => window.game.connect({ url, token }).catch((error: Error) => ({ ...error })),
        [sidecar.url, TOKEN] as const,
      );
      expect(refused).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('--allow-origin') });
      expect(said.join('\n')).toContain('Unexpected response code: 403');
    } finally {
      await browser.close();
      site.close();
      await sidecar.stop();
      await workshop.close();
    }
  });
});
