/** Tabs of the scenes: the studio's own and every connected game's. */
import { h, setText } from '../dom';
import type { Scene } from '../scene/scene';

export class SceneTabs {
  readonly element = h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Scenes' });
  readonly #tabs = new Map<Scene, { tab: HTMLButtonElement; title: HTMLElement; count: HTMLElement }>();
  readonly #onSelect: (scene: Scene) => void;

  constructor(onSelect: (scene: Scene) => void) {
    this.#onSelect = onSelect;
    this.element.addEventListener('keydown', (event) => this.#arrow(event));
  }

  show(scenes: readonly Scene[], selected: Scene): void {
    for (const [scene, { tab }] of this.#tabs) {
      if (scenes.includes(scene)) continue;
      tab.remove();
      this.#tabs.delete(scene);
    }
    for (const scene of scenes) {
      const parts = this.#tabs.get(scene) ?? this.#add(scene);
      const live = [...scene.actors.values()].filter((actor) => actor.live).length;
      setText(parts.title, scene.title);
      setText(parts.count, live === 0 ? '' : String(live));
      parts.tab.setAttribute('aria-selected', String(scene === selected));
      parts.tab.tabIndex = scene === selected ? 0 : -1;
    }
  }

  #add(scene: Scene): { tab: HTMLButtonElement; title: HTMLElement; count: HTMLElement } {
    const title = h('span', {});
    const count = h('span', { class: 'count' });
    const tab = h(
      'button',
      { class: 'tab', type: 'button', role: 'tab', on: { click: () => this.#onSelect(scene) } },
      !scene.own && h('span', { class: 'on-air', title: 'A connected game' }),
      title,
      count,
    );
    const parts = { tab, title, count };
    this.#tabs.set(scene, parts);
    this.element.append(tab);
    return parts;
  }

  #arrow(event: KeyboardEvent): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const scenes = [...this.#tabs.keys()];
    const at = scenes.findIndex((scene) => this.#tabs.get(scene)!.tab === document.activeElement);
    const next = scenes[(at + step + scenes.length) % scenes.length];
    if (!next) return;
    this.#onSelect(next);
    this.#tabs.get(next)?.tab.focus();
  }
}
