/** Who is being talked to: the big face, the live caption, the conversation and the controls. */
import { h, icon, setText } from '../dom';
import { ICONS } from '../icons';
import type { Actor, Scene } from '../scene/scene';
import { OwnScene } from '../scene/own-scene';
import { doing } from './cast';
import { ConversationView } from './conversation';
import { Devices, type DeviceActions } from './devices';
import { Face, hueOf } from './face';
import { Meter } from './meter';

export interface StageActions extends DeviceActions {
  talk(actor: Actor): void;
  leave(actor: Actor): void;
  interrupt(actor: Actor): void;
  say(actor: Actor, text: string): void;
}

export class Stage {
  readonly element: HTMLElement;
  readonly conversation = new ConversationView();
  readonly muteButton: HTMLButtonElement;
  readonly #portrait = h('div', { class: 'portrait' });
  readonly #name = h('h1', {});
  readonly #doing = h('p', { class: 'doing' });
  readonly #talk: HTMLButtonElement;
  readonly #talkLabel = h('span', {});
  readonly #hint = h('p', { class: 'hint' });
  readonly #notice = h('div', { class: 'notice', role: 'alert', hidden: true });
  readonly #live: HTMLElement;
  readonly #muteLabel = h('span', {});
  readonly #watching = h(
    'p',
    { class: 'hint watching' },
    'Watching a running game. Its player is heard there; edits of personas reach it from here.',
  );
  readonly #meters = h('div', { class: 'player-meters' });
  readonly #playerMeters = new Map<string, { element: HTMLElement; meter: Meter }>();
  readonly #voiceMeter: Meter;
  readonly #about: string;
  #face: Face | undefined;
  #actor: Actor | undefined;
  #scene: Scene | undefined;

  /** `about`: the duplex model's own sentence on what it can do. */
  constructor(about: string, actions: StageActions) {
    this.#about = about;
    const withActor = (run: (actor: Actor) => void) => () => this.#actor && run(this.#actor);
    this.#voiceMeter = new Meter('Voice level', () => (this.#actor?.live ? this.#actor.level : 0));
    this.#talk = h(
      'button',
      { class: 'talk', type: 'button', on: { click: withActor(actions.talk) } },
      icon(ICONS.mic),
      this.#talkLabel,
    );
    this.muteButton = h(
      'button',
      { class: 'mute', type: 'button', 'aria-keyshortcuts': 'Space' },
      icon(ICONS.micOff),
      this.#muteLabel,
      h('kbd', {}, 'Space'),
    );
    const line = h('input', {
      type: 'text',
      placeholder: 'Say a line',
      'aria-label': 'A line to say',
      maxlength: 600,
    });
    const say = h(
      'form',
      {
        class: 'say',
        on: {
          submit: (event) => {
            event.preventDefault();
            const text = line.value.trim();
            if (text === '' || !this.#actor) return;
            line.value = '';
            actions.say(this.#actor, text);
          },
        },
      },
      line,
      h(
        'button',
        { type: 'submit', class: 'quiet square', 'aria-label': 'Say it', title: 'Say it' },
        icon(ICONS.send),
      ),
    );
    this.#live = h(
      'div',
      { class: 'live-controls' },
      this.muteButton,
      h(
        'button',
        { type: 'button', 'aria-keyshortcuts': 'Escape', on: { click: withActor(actions.interrupt) } },
        icon(ICONS.hand),
        'Interrupt',
        h('kbd', {}, 'Esc'),
      ),
      h('button', { type: 'button', on: { click: withActor(actions.leave) } }, icon(ICONS.leave), 'Goodbye'),
      say,
    );
    const devices = new Devices(actions);
    this.element = h(
      'main',
      { class: 'stage' },
      h(
        'div',
        { class: 'spotlight' },
        this.#portrait,
        h('div', { class: 'spotlight-text' }, this.#name, this.#doing, this.#voiceMeter.element),
        h('div', { class: 'spotlight-side' }, this.#meters, devices.element),
      ),
      this.conversation.element,
      this.#notice,
      h('div', { class: 'controls' }, this.#talk, this.#hint, this.#live, this.#watching),
    );
  }

  show(scene: Scene, actor: Actor | undefined): void {
    if (actor !== this.#actor || scene !== this.#scene) this.#spot(actor);
    if (scene !== this.#scene) this.hideNotice();
    this.#scene = scene;
    this.#actor = actor;
    this.conversation.show(scene);
    if (!actor) return;
    const own = scene instanceof OwnScene;
    const talking = own && scene.microphone !== undefined && actor.live;
    const muted = own && scene.microphone?.muted === true;
    setText(this.#name, actor.name);
    const empty = own && scene.conversation.entries.length === 0 && !actor.live;
    this.element.classList.toggle('empty', empty);
    setText(this.#doing, empty ? this.#about : doing(actor));
    setText(this.#talkLabel, actor.live ? 'Open the microphone' : `Talk to ${actor.name}`);
    setText(
      this.#hint,
      actor.live ? '' : 'The browser will ask for your microphone. Nothing leaves this machine.',
    );
    setText(this.#muteLabel, muted ? 'Muted' : 'Hold to mute');
    this.muteButton.setAttribute('aria-pressed', String(muted));
    this.#talk.hidden = !own || talking;
    this.#hint.hidden = !own || actor.live;
    this.#live.hidden = !own || !actor.live;
    this.muteButton.hidden = !talking;
    this.#watching.hidden = own;
    this.#showMeters(scene);
  }

  /** Says why there is no microphone, and what to do. */
  notice(title: string, text: string, retry: () => void): void {
    this.#notice.hidden = false;
    this.#notice.replaceChildren(
      icon(ICONS.warn),
      h('div', {}, h('b', {}, title), h('p', {}, text)),
      h('button', { type: 'button', on: { click: () => (this.hideNotice(), retry()) } }, 'Try again'),
    );
  }
  hideNotice(): void {
    this.#notice.hidden = true;
  }

  draw(now: number, still: boolean): void {
    this.#face?.draw(now, still);
    this.#voiceMeter.draw();
    for (const { meter } of this.#playerMeters.values()) meter.draw();
  }

  #spot(actor: Actor | undefined): void {
    this.#face = actor && new Face(actor);
    this.#portrait.replaceChildren(...(this.#face ? [this.#face.element] : []));
    if (!actor) {
      setText(this.#name, 'Nobody here');
      setText(this.#doing, '');
    } else this.element.style.setProperty('--hue', String(hueOf(actor.persona)));
  }

  #showMeters(scene: Scene): void {
    for (const [id, { element }] of this.#playerMeters) {
      if (scene.mics.has(id)) continue;
      element.remove();
      this.#playerMeters.delete(id);
    }
    for (const [id, mic] of scene.mics) {
      if (!this.#playerMeters.has(id)) {
        const meter = new Meter(`Microphone ${id}, level`, () => {
          const heard = this.#scene?.mics.get(id);
          return !heard || heard.muted ? 0 : heard.level;
        });
        const element = h(
          'div',
          { class: 'player-meter' },
          icon(ICONS.mic),
          h('span', {}, scene.own ? 'You' : id),
          meter.element,
        );
        this.#playerMeters.set(id, { element, meter });
        this.#meters.append(element);
      }
      this.#playerMeters.get(id)!.element.classList.toggle('voiced', mic.voiced && !mic.muted);
      this.#playerMeters.get(id)!.element.classList.toggle('muted', mic.muted);
    }
  }
}
