/** The studio as a person uses it: a real Chromium, a real sidecar, the shipped cast. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launch, noBrowser } from './support/browser';
import { GameSite, openGame } from './support/game-page';
import { Sidecar, TOKEN, Workshop } from './support/sidecar';
import { recordSpeech } from './support/speech';

describe.skipIf(noBrowser)('the studio', () => {
  let workshop: Workshop;
  let sidecar: Sidecar;
  let site: GameSite;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];
  let outside: string[];

  beforeAll(async () => {
    workshop = await Workshop.open();
    site = await GameSite.open();
    sidecar = await Sidecar.start(workshop, { allowOrigins: [site.origin] });
    const wav = path.join(workshop.dir, 'player.wav');
    await recordSpeech(wav, 2, 'Good morning, smith. I am looking for a sword.');
    browser = await launch({ wav });
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    await sidecar?.stop();
    await workshop?.close();
  });
  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    page = await context.newPage();
    complaints = [];
    outside = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (new URL(request.url()).host !== `127.0.0.1:${sidecar.port}`) outside.push(request.url());
    });
    await page.goto(sidecar.studio);
    await page.locator('.talk').waitFor();
  });
  afterEach(async () => {
    await context.close();
    expect(outside, 'requests to anywhere but the sidecar').toEqual([]);
  });

  const caption = (text: RegExp): ReturnType<Page['locator']> =>
    page.locator('.line.npc .bubble').filter({ hasText: text });

  it('takes the token out of the address bar and keeps it for reloads of this tab', async () => {
    expect(page.url()).toBe(`http://127.0.0.1:${sidecar.port}/`);
    await page.reload();
    await page.locator('.talk').waitFor();
    expect(await page.locator('.talk').innerText()).toBe('Talk to Aldric');
  });

  it('says what it needs when it was opened without its key', async () => {
    const other = await browser.newPage();
    await other.goto(`http://127.0.0.1:${sidecar.port}/`);
    await other.getByText('This page needs its key').waitFor();
    expect(await other.locator('.cannot-start').innerText()).toContain(
      'Open the address that the sidecar printed last',
    );
    await other.close();
  });

  it('talks at one click: the greeting is captioned, the player is marked, the reply comes; mouth and figures live', async () => {
    await page.locator('.talk').click();
    await page.locator('.line.npc').first().waitFor();
    const mouths = new Set<string>();
    for (let i = 0; i < 20; i++) {
      mouths.add((await page.locator('.portrait .face-mouth').getAttribute('d'))!);
      await page.waitForTimeout(50);
    }
    expect(mouths.size).toBeGreaterThan(5);
    await page.locator('.line.player:not(.live)').waitFor();
    // It heard that there was speech. It does not pretend to have heard words.
    expect(await page.locator('.line.player .spoke').first().innerText()).toMatch(/^spoke \d\.\d s$/);
    await page.locator('.line.npc').nth(1).waitFor();
    expect(await page.locator('.badge').innerText()).toMatch(
      /understudy\s*scripted lines, understands nothing/,
    );
    await page.waitForFunction(() =>
      /of \d{2,} ticks/.test(document.querySelector('.figures')!.textContent!),
    );
    await page.waitForFunction(() =>
      /Reply\s*\d+/.test((document.querySelector('.figures') as HTMLElement).innerText),
    );
    expect(complaints, 'errors on the console, of the content security policy too').toEqual([]);
  });

  it.each([
    [1000, 700],
    [1280, 720],
    [390, 760],
  ])('keeps its controls in sight at %i x %i', async (width, height) => {
    await page.setViewportSize({ width, height });
    /** Whole in the window as it opens, and under nothing else. */
    const inSight = (selector: string): Promise<boolean> =>
      page.locator(selector).evaluate((element) => {
        const { top, bottom, left, right } = element.getBoundingClientRect();
        const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        const whole = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
        return scrollY === 0 && whole && hit !== null && element.contains(hit);
      });
    expect(await inSight('.talk')).toBe(true);
    await page.locator('.talk').click();
    await page.locator('.line.npc').first().waitFor();
    for (const control of ['.mute', '.live-controls > button:nth-child(2)', '.say input', '.say button'])
      expect([control, await inSight(control)]).toEqual([control, true]);
    expect(await page.locator('.live-controls > button:nth-child(2)').innerText()).toMatch(/^Interrupt/);
  });

  it('mutes while the space bar is held, and not while somebody types', async () => {
    await page.locator('.talk').click();
    const mute = page.locator('.mute');
    await mute.waitFor();
    await page.locator('.conversation').focus();
    await page.keyboard.down(' ');
    await page.locator('.mute[aria-pressed=true]').waitFor();
    await page.keyboard.up(' ');
    await page.locator('.mute[aria-pressed=false]').waitFor();
    await page.locator('.say input').focus();
    await page.keyboard.type('one two');
    expect(await mute.getAttribute('aria-pressed')).toBe('false');
    expect(await page.locator('.say input').inputValue()).toBe('one two');
  });

  it('says a line it is given, and stops at Escape', async () => {
    await page.locator('.talk').click();
    await page
      .locator('.say input')
      .fill('Here is a rather long line about nothing, and then it goes on, and on, and on, and on.');
    await page.keyboard.press('Enter');
    await caption(/Here is a rather/).waitFor();
    await page.locator('.conversation').focus();
    await page.keyboard.press('Escape');
    const cut = page.locator('.line.npc.cut').filter({ hasText: 'Here is' });
    await cut.waitFor();
    expect(await cut.locator('.unsaid').innerText()).toMatch(/on\.$/);
  });

  it('underlines a mistake where it is, names the word that was meant, and does not save it', async () => {
    const before = await workshop.read('marta');
    await page.locator('.card', { hasText: 'Marta' }).click();
    await page.getByText('marta.yaml').waitFor();
    const content = page.locator('.editor .cm-content');
    await content.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('\nvioce: marta\n');
    const squiggle = page.locator('.editor .cm-lintRange-error');
    await squiggle.first().waitFor();
    expect(await squiggle.first().innerText()).toContain('vioce');
    expect(await page.locator('.file-status').innerText()).toMatch(/1 problem/);
    await page.keyboard.press('Control+s');
    await page.locator('.toast.bad').waitFor();
    expect(await page.locator('.toast.bad').innerText()).toMatch(/voice/);
    expect(await workshop.read('marta')).toBe(before);
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+z');
  });

  it('saves with Ctrl-S, and the one who is being talked to changes: what changed and how fast is told', async () => {
    await page.locator('.talk').click();
    await page.locator('.line.npc').first().waitFor();
    await page.locator('.voice-pick select').selectOption('brenn');
    expect(await page.locator('.file-status').innerText()).toBe('not saved');
    await page.locator('.editor .cm-content').click();
    await page.keyboard.press('Control+s');
    await page.locator('.toast.good', { hasText: 'voice changed' }).waitFor();
    expect(await page.locator('.toast.good').innerText()).toMatch(/, [\d.]+ ms/);
    expect(await page.locator('.file-status').innerText()).toBe('saved');
    expect(await workshop.read('aldric')).toMatch(/^voice: brenn$/m);
  });

  it('shows a file changed by another editor, and asks before anything is lost', async () => {
    await page.locator('.talk').click();
    await page.locator('.line.npc').first().waitFor();
    const text = await workshop.read('aldric');
    await workshop.write('aldric', text.replace(/patience_ms: \d+/, 'patience_ms: 710'));
    await page.locator('.editor .cm-line', { hasText: 'patience_ms: 710' }).waitFor();
    expect(await page.locator('.file-status').innerText()).toBe('saved');
    // Now with changes here that are not saved.
    await page.locator('.editor .cm-content').click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('# mine is this ');
    await workshop.write('aldric', text.replace(/patience_ms: \d+/, 'patience_ms: 720'));
    await page.getByText('The file was changed elsewhere').waitFor();
    expect(await page.locator('.editor .cm-content').innerText()).toContain('# mine is this ');
    expect(await page.locator('.mute').getAttribute('aria-pressed')).toBe('false');
    await page.getByRole('button', { name: 'Load the file' }).click();
    await page.locator('.editor .cm-line', { hasText: 'patience_ms: 720' }).waitFor();
    expect(await page.locator('.editor .cm-content').innerText()).not.toContain('# mine');
  });

  it('shows a refused file at its line', async () => {
    const good = await workshop.read('pip');
    await workshop.write('pip', good.replace(/^voice:.*$/m, 'voice: [not, a, voice]'));
    const toast = page.locator('.toast.bad', { hasText: 'pip.yaml' });
    await toast.waitFor();
    expect(await toast.locator('code').innerText()).toBe('voice: [not, a, voice]');
    await toast.getByRole('button', { name: 'Show' }).click();
    await page.getByText('pip.yaml', { exact: true }).waitFor();
    await page.locator('.editor .cm-lintRange-error').first().waitFor();
    await workshop.write('pip', good);
  });

  it('says of a file with a bad name what to call it', async () => {
    await writeFile(path.join(workshop.dir, 'npc-personas', 'hugo.yml'), 'name: Hugo\n');
    const toast = page.locator('.toast.bad', { hasText: 'hugo.yml' });
    await toast.filter({ hasText: 'Rename it hugo.yaml.' }).waitFor();
    expect(await toast.getByRole('button', { name: 'Show' }).count()).toBe(0);
  });

  it("watches a running game's scene: its client's name, its cast, its captions", async () => {
    const game = await context.newPage();
    await openGame(game, site);
    outside.length = 0;
    await game.evaluate(([url, token]) => window.game.connect({ url, token }), [sidecar.url, TOKEN] as const);
    const tab = page.getByRole('tab', { name: /e2e-game\/1\.0/ });
    await tab.click();
    await game.evaluate(() => window.game.attach('orwin', { greet: false }));
    await page.locator('.card', { hasText: 'Master Orwin' }).waitFor();
    await game.evaluate(() => window.game.npc.say('Can anybody see me?'));
    await caption(/Can anybody see me\?/).waitFor();
    expect(await page.locator('.talk').isVisible()).toBe(false);
    // One change, told once: by the scene that it was made in.
    const text = await workshop.read('orwin');
    await workshop.write('orwin', text.replace(/patience_ms: \d+/, 'patience_ms: 715'));
    const toast = page.locator('.toast.good', { hasText: 'turn_taking.patience_ms changed' });
    await toast.waitFor();
    await page.waitForTimeout(300);
    expect(await toast.allInnerTexts()).toEqual([expect.stringContaining('in force')]);
    await game.close();
    await tab.waitFor({ state: 'detached' });
    await page.locator('.talk').waitFor();
  });

  it('says that the connection is lost, and goes on when it is back', async () => {
    await page.locator('.talk').click();
    await page.locator('.line.npc').first().waitFor();
    const { port } = sidecar;
    await sidecar.stop('SIGKILL');
    await page.locator('.banner', { hasText: 'Connection lost' }).waitFor();
    sidecar = await Sidecar.start(workshop, { port, allowOrigins: [site.origin] });
    await page.locator('.banner').waitFor({ state: 'hidden' });
    // The player on the fake microphone talks on and may cut the line, so it is said until it has been heard.
    await expect
      .poll(
        async () => {
          await page.locator('.say input').fill('Where were we.');
          await page.keyboard.press('Enter');
          await page.waitForTimeout(3000);
          return caption(/Where were we/).count();
        },
        { timeout: 60_000 },
      )
      .toBeGreaterThan(0);
  });
});

describe.skipIf(noBrowser)('the studio, its sidecar started anew with another key', () => {
  it('says so, takes the new address, and keeps what was not saved', async () => {
    const workshop = await Workshop.open();
    let sidecar = await Sidecar.start(workshop);
    const browser = await launch('none');
    try {
      const page = await browser.newPage();
      await page.goto(sidecar.studio);
      await page.locator('.card', { hasText: 'Marta' }).click();
      await page.getByText('marta.yaml').waitFor();
      const content = page.locator('.editor .cm-content');
      await content.click();
      await page.keyboard.press('Control+Home');
      await page.keyboard.type('# mine is this\n');

      const { port } = sidecar;
      await sidecar.stop('SIGKILL');
      sidecar = await Sidecar.start(workshop, { port, token: 'the-token-of-another-start' });
      const banner = page.locator('.banner', { hasText: 'This sidecar was started anew.' });
      await banner.waitFor();
      await banner.getByRole('textbox').fill('http://127.0.0.1/');
      await banner.getByRole('button', { name: 'Open' }).click();
      expect(
        await banner.getByRole('textbox').evaluate((it: HTMLInputElement) => it.validationMessage),
      ).toMatch(/no key in this/);
      // Reloaded with the old key it says the same, and the draft is kept still.
      await page.reload();
      const opening = page.locator('.cannot-start', { hasText: 'This sidecar was started anew.' });
      await opening.getByRole('textbox').fill(sidecar.studio);
      await opening.getByRole('button', { name: 'Open' }).click();

      const offer = page.locator('.notice.draft', { hasText: 'marta.yaml was not saved' });
      await offer.getByRole('button', { name: 'Put it back' }).click();
      await page.getByText('marta.yaml', { exact: true }).waitFor();
      await page.locator('.editor .cm-line', { hasText: '# mine is this' }).waitFor();
      expect(await page.locator('.file-status').innerText()).toBe('not saved');
      await content.click();
      await page.keyboard.press('Control+s');
      await page.locator('.file-status', { hasText: /^saved$|remark/ }).waitFor();
      expect(await workshop.read('marta')).toMatch(/^# mine is this\n/);
      await page.reload();
      await page.locator('.talk').waitFor();
      await page.locator('.editor .cm-line').first().waitFor();
      expect(await page.locator('.notice.draft').count()).toBe(0);
    } finally {
      await browser.close();
      await sidecar.stop();
      await workshop.close();
    }
  });
});

describe.skipIf(noBrowser)('the studio without a microphone', () => {
  for (const [microphone, words] of [
    ['refused', 'The microphone was not allowed.'],
    ['none', 'No such microphone is connected.'],
  ] as const) {
    it(`says so in plain words when it is ${microphone}, and the NPC is there all the same`, async () => {
      const workshop = await Workshop.open();
      const sidecar = await Sidecar.start(workshop);
      const browser = await launch(microphone);
      try {
        const page = await browser.newPage();
        await page.goto(sidecar.studio);
        await page.locator('.talk').click();
        const notice = page.locator('.stage .notice');
        await notice.getByText(words).waitFor();
        expect(await notice.getByRole('button', { name: 'Try again' }).isVisible()).toBe(true);
        await page.locator('.line.npc').first().waitFor();
      } finally {
        await browser.close();
        await sidecar.stop();
        await workshop.close();
      }
    });
  }
});
