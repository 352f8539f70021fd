/** Changes that are not saved, kept for this tab: a reload, or a sidecar started anew, does not lose them. */
import { h, icon } from '../dom';
import { ICONS } from '../icons';

const KEY = 'npc-voice.draft';

export interface Draft {
  persona: string;
  text: string;
  /** Of the file it was made from. */
  hash: string;
}

/** Keeps the last one only: there is one editor. */
export function keepDraft(draft: Draft): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // No room for it, or none allowed: typing goes on, and saving works as ever.
  }
}

export function dropDraft(): void {
  sessionStorage.removeItem(KEY);
}

export function keptDraft(): Draft | undefined {
  const kept = sessionStorage.getItem(KEY);
  return kept === null ? undefined : (JSON.parse(kept) as Draft);
}

/** Offers a draft of before this page was loaded. */
export function draftOffer(
  { persona }: Draft,
  { putBack, discard }: { putBack(): void; discard(): void },
): HTMLElement {
  const element = h(
    'div',
    { class: 'notice draft', role: 'alert' },
    icon(ICONS.warn),
    h(
      'div',
      {},
      h('b', {}, `${persona}.yaml was not saved`),
      h('p', {}, 'What you wrote before this page was loaded anew is kept.'),
    ),
    button('Put it back', putBack),
    button('Discard it', discard),
  );
  function button(label: string, run: () => void): HTMLElement {
    return h('button', { type: 'button', on: { click: () => (element.remove(), run()) } }, label);
  }
  return element;
}
