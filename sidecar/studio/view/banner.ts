/** Across the top while there is no connection: what happened, and what is being done about it. */
import type { ConnectionState } from '../../../plugins/web/src';
import { h, setText } from '../dom';
import { keyForm, STARTED_ANEW } from './key-form';

export class Banner {
  readonly element: HTMLElement;
  readonly #text = h('span', {});
  readonly #button: HTMLButtonElement;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor(onRetry: () => void) {
    this.#button = h('button', { type: 'button', on: { click: onRetry } }, 'Try now');
    this.element = h('div', { class: 'banner', role: 'alert', hidden: true }, this.#text, this.#button);
  }

  show(state: ConnectionState): void {
    clearInterval(this.#ticking);
    this.element.hidden = state.status === 'open';
    this.element.querySelector('.key-form')?.remove();
    this.#button.hidden = state.status !== 'waiting';
    if (state.status === 'waiting') {
      const say = (): void => {
        const seconds = Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000));
        setText(this.#text, `Connection lost. Trying again ${seconds > 0 ? `in ${seconds} s` : 'now'}\u2026`);
      };
      say();
      this.#ticking = setInterval(say, 250);
    } else if (state.status === 'connecting') {
      setText(this.#text, 'Connection lost. Trying again\u2026');
    } else if (state.status === 'closed') {
      const { why } = state;
      const needsKey = why?.code === 'unauthorized';
      const said = [why?.message, why?.hint].filter(Boolean).join(' ');
      setText(this.#text, needsKey ? STARTED_ANEW : said || 'Disconnected.');
      if (needsKey) this.element.append(keyForm());
    }
  }
}
