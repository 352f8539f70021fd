/** The conversation as a column of lines: the NPC's words as they are heard, the player's speech as marks. */
import { h, setText } from '../dom';
import type { Entry, NpcLine, PlayerSpeech } from '../scene/conversation';
import type { Scene } from '../scene/scene';
import { hueOf } from './face';
import { meterPosition } from './level';

interface Row {
  element: HTMLElement;
  update(): void;
}

export class ConversationView {
  readonly element = h('div', {
    class: 'conversation',
    role: 'log',
    'aria-label': 'Conversation',
    tabindex: 0,
  });
  readonly #rows = new Map<number, Row>();
  #scene: Scene | undefined;
  #unsubscribe: (() => void)[] = [];

  show(scene: Scene): void {
    if (scene === this.#scene) return;
    for (const off of this.#unsubscribe) off();
    this.#scene = scene;
    this.#rows.clear();
    this.element.replaceChildren();
    const { conversation } = scene;
    for (const entry of conversation.entries) this.#add(entry);
    this.#unsubscribe = [
      conversation.on('added', (entry) => this.#follow(() => this.#add(entry))),
      conversation.on('changed', (entry) => this.#follow(() => this.#rows.get(entry.key)?.update())),
      conversation.on('dropped', (entry) => {
        this.#rows.get(entry.key)?.element.remove();
        this.#rows.delete(entry.key);
      }),
    ];
  }

  #add(entry: Entry): void {
    const row = this.#row(entry);
    row.update();
    this.#rows.set(entry.key, row);
    this.element.append(row.element);
  }

  /** Keeps to the newest line, unless the reader has scrolled back. */
  #follow(change: () => void): void {
    const { element } = this;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 48;
    change();
    if (atEnd) element.scrollTop = element.scrollHeight;
  }

  #row(entry: Entry): Row {
    switch (entry.kind) {
      case 'npc':
        return this.#npcRow(entry);
      case 'player':
        return playerRow(entry);
      case 'backchannel':
        return still(
          h('p', { class: 'line backchannel' }, h('span', {}, entry.text)),
          this.#hue(entry.actor),
        );
      case 'note':
        return still(h('p', { class: 'line note' }, entry.text));
    }
  }

  #npcRow(line: NpcLine): Row {
    const heard = h('span', {});
    const unsaid = h('s', { class: 'unsaid', title: 'Not said: it was cut short.' });
    const element = h(
      'p',
      { class: 'line npc' },
      h('b', {}, this.#scene?.actors.get(line.actor)?.name ?? line.actor),
      h('span', { class: 'bubble' }, heard, unsaid),
    );
    element.style.setProperty('--hue', String(this.#hue(line.actor)));
    return {
      element,
      update() {
        setText(heard, line.heard.trimStart());
        setText(unsaid, line.unsaid);
        element.classList.toggle('live', line.live);
        element.classList.toggle('cut', line.cut);
      },
    };
  }

  #hue(actor: string): number {
    return hueOf(this.#scene?.actors.get(actor)?.persona ?? actor);
  }
}

function still(element: HTMLElement, hue?: number): Row {
  if (hue !== undefined) element.style.setProperty('--hue', String(hue));
  return { element, update() {} };
}

/** Bars of the speech mark. */
const BARS = 28;

function playerRow(speech: PlayerSpeech): Row {
  const bars = Array.from({ length: BARS }, () => h('i'));
  const said = h('span', { class: 'spoke' });
  const element = h(
    'p',
    { class: 'line player' },
    h('b', {}, 'You'),
    h('span', { class: 'bubble' }, h('span', { class: 'wave', 'aria-hidden': 'true' }, ...bars), said),
  );
  return {
    element,
    update() {
      element.classList.toggle('live', speech.live);
      setText(said, speech.live ? 'speaking' : `spoke ${(speech.ms / 1000).toFixed(1)} s`);
      for (let b = 0; b < BARS; b++) {
        // While live the newest levels run in from the right; afterwards the whole speech is shown.
        const { levels, live } = speech;
        const at = live ? levels.length - BARS + b : Math.floor((b / BARS) * levels.length);
        const height = meterPosition(levels[at] ?? 0);
        bars[b]!.style.transform = `scaleY(${Math.max(0.08, height).toFixed(2)})`;
      }
    },
  };
}
