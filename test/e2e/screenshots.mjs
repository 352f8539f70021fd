/**
 * Takes the README's pictures of the studio, a conversation going on, in light and in dark:
 *   npm run screenshots
 */
import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = path.join(root, 'dist', 'npc-voice.js');
const out = path.join(root, 'sidecar', 'studio', 'screenshots');
const executablePath = [process.env.CHROMIUM_BIN, '/usr/bin/chromium'].find(
  (file) => file && existsSync(file),
);
if (!executablePath) throw new Error('Screenshots need Chromium: install it or set CHROMIUM_BIN.');

const dir = await mkdtemp(path.join(os.tmpdir(), 'npc-voice-screenshots-'));
await cp(path.join(root, 'npc-personas'), path.join(dir, 'npc-personas'), { recursive: true });
await cp(path.join(root, 'voices'), path.join(dir, 'voices'), { recursive: true });
const player = path.join(dir, 'player.wav');
recordPlayer(player, 4, 5);

const sidecar = spawn(
  process.execPath,
  [cli, 'serve', '--port', '0', '--log-level', 'error', '--personas', path.join(dir, 'npc-personas')],
  {
    env: { ...process.env, NPC_VOICE_RUNTIME_DIR: path.join(dir, 'run'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
const studio = await new Promise((resolve, reject) => {
  let said = '';
  sidecar.stdout.on('data', (text) => {
    said += text;
    const at = /(http:\S+#token=\S+)\n/.exec(said);
    if (at) resolve(at[1]);
  });
  sidecar.once('exit', () => reject(new Error(`the sidecar ended: ${said}`)));
});
const browser = await chromium.launch({
  executablePath,
  chromiumSandbox: false,
  args: [
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-audio-capture=${player}%noloop`,
    '--autoplay-policy=no-user-gesture-required',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
  ],
});
try {
  await mkdir(out, { recursive: true });
  await startGame();
  for (const scheme of ['light', 'dark']) await take(scheme);
} finally {
  await browser.close();
  sidecar.kill('SIGTERM');
  await new Promise((resolve) => sidecar.once('exit', resolve));
  await rm(dir, { recursive: true, force: true });
}

/** A game that is connected too: the studio shows its scene in a tab. */
async function startGame() {
  const page = await browser.newPage();
  const { origin, hash } = new URL(studio);
  await page.goto(`${origin}/healthz`);
  await page.evaluate(
    async (token) => {
      const { NpcVoice } = await import('/web/index.js');
      const options = { url: location.origin, token, client: 'emberfall/0.3', workletUrl: '/web/worklet.js' };
      const voice = await NpcVoice.connect(options);
      for (const npc of ['marta', 'orwin']) await voice.attach(npc, { greet: false });
    },
    new URLSearchParams(hash.slice(1)).get('token'),
  );
}

async function take(colorScheme) {
  const page = await browser.newPage({ viewport: { width: 1360, height: 820 }, colorScheme });
  await page.goto(studio);
  await page.locator('.talk').click();
  await page.locator('.line.npc').first().waitFor();
  await page.locator('.line.player:not(.live)').first().waitFor();
  await page.locator('.line.npc').nth(1).waitFor();
  await say(page, 'Three days, whatever it is, and not an hour less.');
  await page.locator('.conversation').focus();
  await page.keyboard.press('Escape');
  await page.locator('.line.npc.cut').waitFor();
  // A change of the file, heard in the same conversation.
  await page.locator('.voice-pick select').selectOption(colorScheme === 'light' ? 'brenn' : 'aldric');
  await page.locator('.editor .cm-content').focus();
  await page.keyboard.press('Control+s');
  await page.locator('.toast.good').first().waitFor();
  await say(page, 'Now. The bridge is washed out, if you were going to ask. Everyone asks.');
  await page.waitForFunction(() => document.querySelectorAll('.doing')[0]?.textContent === 'speaking');
  await page.waitForTimeout(1300);
  await page.evaluate(() => document.activeElement.blur());
  await page.waitForFunction(() => document.querySelector('.portrait .face-mouth').getBBox().height > 8);
  const file = path.join(out, `${colorScheme}.png`);
  await page.screenshot({ path: file });
  await page.close();
  process.stdout.write(`${path.relative(root, file)}: ${Math.round((await stat(file)).size / 1024)} KB\n`);
}

async function say(page, text) {
  await page.locator('.say input').fill(text);
  await page.keyboard.press('Enter');
  await page
    .locator('.line.npc', { hasText: text.slice(0, 5) })
    .last()
    .waitFor();
}

/** The player's part, spoken by another of the cast: quiet while the greeting is said, then `seconds` of speech. */
function recordPlayer(file, quietSeconds, seconds) {
  const spoken = path.join(dir, 'spoken.wav');
  execFileSync(process.execPath, [
    cli,
    'talk',
    '--persona',
    'marta',
    '--seconds',
    String(seconds),
    '--output',
    spoken,
  ]);
  const wav = readFileSync(spoken);
  const at = wav.indexOf('data') + 8;
  const quiet = Buffer.alloc(quietSeconds * 24_000 * 2);
  const longer = Buffer.concat([wav.subarray(0, at), quiet, wav.subarray(at), Buffer.alloc(48_000)]);
  longer.writeUInt32LE(longer.length - 8, 4);
  longer.writeUInt32LE(longer.length - at, at - 4);
  writeFileSync(file, longer);
}
