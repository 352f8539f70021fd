/** The studio: the page the sidecar serves at `/`. */
import { NpcVoice, VoiceError } from '../../plugins/web/src';
import { h, icon } from './dom';
import { ICONS } from './icons';
import { Studio } from './studio';
import { themeButton } from './theme';
import { hadToken, takeToken } from './token';
import { keyForm, STARTED_ANEW } from './view/key-form';

const TITLES: Partial<Record<string, string>> = {
  unauthorized: 'This page needs its key',
  unreachable: 'No sidecar here',
  timeout: 'No sidecar here',
};
const KEY_HINT =
  'Open the address that the sidecar printed last, or paste it here: it carries the key, and each start makes a new one.';
const root = document.getElementById('studio')!;

async function start(): Promise<void> {
  const token = takeToken();
  root.replaceChildren(h('p', { class: 'opening' }, 'Finding the sidecar\u2026'));
  try {
    const voice = await NpcVoice.connect({
      client: 'studio/0.1.0',
      workletUrl: '/web/worklet.js',
      ...(token === undefined ? {} : { token }),
    });
    root.replaceChildren(new Studio(voice).element);
  } catch (error) {
    root.replaceChildren(cannotStart(error));
  }
}

/** The token is of an earlier start, or the sidecar has ended: what to do, in full. */
function cannotStart(error: unknown): HTMLElement {
  const why =
    error instanceof VoiceError ? error : new VoiceError('internal', String(error), { cause: error });
  const needsKey = why.code === 'unauthorized';
  return h(
    'div',
    { class: 'cannot-start', role: 'alert' },
    icon(ICONS.warn),
    h('h1', {}, TITLES[why.code] ?? 'The sidecar refused'),
    ...(needsKey
      ? [h('p', {}, hadToken() ? STARTED_ANEW : KEY_HINT), keyForm()]
      : [
          h('p', {}, why.message),
          h('p', { class: 'hint' }, why.hint),
          h('button', { type: 'button', class: 'primary', on: { click: () => void start() } }, 'Try again'),
        ]),
    themeButton(),
  );
}

void start();
// The address the sidecar prints, pasted into this very tab, changes nothing but the fragment.
window.addEventListener('hashchange', () => {
  if (location.hash.includes('token=')) location.reload();
});
