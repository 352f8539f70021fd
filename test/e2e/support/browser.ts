/** Chromium with a fake microphone that plays a file. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const executablePath = [process.env.CHROMIUM_BIN, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (file) => file !== undefined && existsSync(file),
);
/** Why there is no browser to test with, or undefined. */
export const noBrowser =
  executablePath === undefined ? 'no Chromium: install it or set CHROMIUM_BIN' : undefined;
if (noBrowser) console.warn(`end-to-end tests skipped: ${noBrowser}`);

/**
 * `microphone`: a WAV played once from the moment a page opens the microphone, or what the player does instead:
 * refuses, or has none.
 */
export function launch(microphone: { wav: string } | 'refused' | 'none'): Promise<Browser> {
  const fake =
    typeof microphone === 'object'
      ? [`--use-file-for-fake-audio-capture=${microphone.wav}%noloop`, '--use-fake-ui-for-media-stream']
      : [];
  return chromium.launch({
    executablePath: executablePath!,
    headless: true,
    chromiumSandbox: false,
    args: [
      ...(microphone === 'none'
        ? ['--use-fake-ui-for-media-stream']
        : ['--use-fake-device-for-media-stream']),
      ...fake,
      '--autoplay-policy=no-user-gesture-required',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}
