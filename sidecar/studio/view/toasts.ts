/** Short notices at the edge: what was reloaded and what it cost, what was refused and where. */
import { h, icon } from '../dom';
import { ICONS } from '../icons';

const SHOWN_MS = 6000;
const AT_ONCE = 4;

export interface Toast {
  tone: 'good' | 'bad' | 'plain';
  title: string;
  text?: string;
  /** Set in monospace: a line of a file. */
  source?: string;
  action?: { label: string; run: () => void };
}

export class Toasts {
  readonly element = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });

  show(toast: Toast): void {
    const { action } = toast;
    const close = (): void => element.remove();
    const element = h(
      'div',
      { class: `toast ${toast.tone}` },
      h(
        'div',
        {},
        h('b', {}, toast.title),
        toast.text && h('p', {}, toast.text),
        toast.source && h('code', {}, toast.source),
      ),
      action && h('button', { type: 'button', on: { click: () => (close(), action.run()) } }, action.label),
      h(
        'button',
        { type: 'button', class: 'quiet square', 'aria-label': 'Dismiss', on: { click: close } },
        icon(ICONS.close),
      ),
    );
    this.element.append(element);
    while (this.element.children.length > AT_ONCE) this.element.firstElementChild!.remove();
    // What went wrong stays until it is read.
    if (toast.tone !== 'bad') setTimeout(close, SHOWN_MS);
  }
}
