/** The page put together: scenes, who is selected, and what each button does. */
import { VoiceError, type NpcVoice, type WatchedMessage } from '../../plugins/web/src';
import { isTyping } from '../../plugins/web/src/typing';
import type { PersonaChanged } from '../wire/messages';
import { h, svg } from './dom';
import { PersonaPanel } from './editor/panel';
import { OwnScene } from './scene/own-scene';
import type { Actor, Scene } from './scene/scene';
import { WatchedScene } from './scene/watched-scene';
import { themeButton } from './theme';
import { Banner } from './view/banner';
import { CastView } from './view/cast';
import { Figures } from './view/figures';
import { SceneTabs } from './view/scenes';
import { Stage } from './view/stage';
import { Toasts } from './view/toasts';

const SPEED: Record<PersonaChanged['speed'], string> = {
  instant: 'in force at once',
  quiet: 'in force at the next quiet frame',
  reprime: 'primed anew and swapped in',
};

export class Studio {
  readonly element: HTMLElement;
  readonly #voice: NpcVoice;
  readonly #own: OwnScene;
  readonly #watched = new Map<string, WatchedScene>();
  readonly #toasts = new Toasts();
  readonly #tabs = new SceneTabs((scene) => this.#select(scene));
  readonly #cast = new CastView((id) => this.#selectActor(id));
  readonly #stage: Stage;
  readonly #figures = new Figures();
  readonly #panel: PersonaPanel;
  readonly #banner: Banner;
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  #scene: Scene;
  readonly #selected = new Map<Scene, string>();
  #stopMuting: (() => void) | undefined;

  constructor(voice: NpcVoice) {
    this.#voice = voice;
    this.#own = new OwnScene(voice);
    this.#scene = this.#own;
    this.#panel = new PersonaPanel(voice, this.#toasts);
    this.#banner = new Banner(() => voice.reconnect());
    this.#stage = new Stage(voice.model.about, {
      talk: (actor) => void this.#talk(actor),
      leave: (actor) => void this.#own.leave(actor.id).catch((error) => this.#failed(error)),
      interrupt: (actor) => void this.#interrupt(actor),
      say: (actor, text) =>
        void this.#own
          .npc(actor.id)
          ?.say(text)
          .catch((error) => this.#failed(error)),
      setInput: (deviceId) => this.#own.setInput(deviceId),
      setOutput: (deviceId) => voice.setOutputDevice(deviceId),
      failed: (error) => this.#failed(error),
    });
    this.element = h(
      'div',
      { class: 'studio' },
      h(
        'header',
        { class: 'top' },
        h('span', { class: 'brand' }, logo(), 'NPC Voice'),
        this.#tabs.element,
        this.#modelBadge(),
        themeButton(),
      ),
      this.#banner.element,
      this.#cast.element,
      this.#stage.element,
      this.#panel.element,
      this.#figures.element,
      this.#toasts.element,
    );
    this.#follow();
    this.#show();
    this.#showPersona();
    requestAnimationFrame((now) => this.#draw(now));
  }

  #follow(): void {
    const { voice } = this.#own;
    voice.on('connection', (state) => {
      this.#banner.show(state);
      this.element.classList.toggle('offline', state.status !== 'open');
    });
    voice.on('error', (error) => this.#failed(error));
    voice.on('watched', (message) => this.#watch(message));
    voice.on('personaChanged', (change) => {
      // Told of no NPC here; where a game has it on stage, that scene's message says more.
      if (change.npcs.length > 0 || !this.#isWatched(change.persona)) this.#reloaded(change);
    });
    this.#subscribe(this.#own);
    voice.watch().catch((error: unknown) => this.#failed(error));
    document.addEventListener('keydown', (event) => {
      const actor = this.#actor();
      if (event.key !== 'Escape' || event.defaultPrevented || isTyping(event) || !actor) return;
      void this.#interrupt(actor);
    });
  }

  #subscribe(scene: Scene): void {
    scene.on('cast', () => this.#show());
    scene.on('figures', () => scene === this.#scene && this.#figures.show(scene));
  }

  #select(scene: Scene): void {
    this.#scene = scene;
    this.#show();
    this.#showPersona();
  }

  #selectActor(id: string): void {
    this.#selected.set(this.#scene, id);
    this.#show();
    this.#showPersona();
  }

  /** The actor in the light: as chosen, or whoever is on, or the first of the cast. */
  #actor(): Actor | undefined {
    const { actors } = this.#scene;
    const chosen = this.#selected.get(this.#scene);
    const all = [...actors.values()];
    return (chosen === undefined ? undefined : actors.get(chosen)) ?? all.find(({ live }) => live) ?? all[0];
  }

  #show(): void {
    const actor = this.#actor();
    this.#tabs.show([this.#own, ...this.#watched.values()], this.#scene);
    this.#cast.show(this.#scene, actor?.id);
    this.#stage.show(this.#scene, actor);
    this.#figures.show(this.#scene);
  }

  #showPersona(): void {
    const actor = this.#actor();
    if (actor) void this.#panel.open(actor.persona);
  }

  #draw(now: number): void {
    const still = this.#still.matches;
    this.#cast.draw(now, still);
    this.#stage.draw(now, still);
    requestAnimationFrame((next) => this.#draw(next));
  }

  async #talk(actor: Actor): Promise<void> {
    this.#stage.hideNotice();
    try {
      await this.#own.talkTo(actor.id);
      this.#bindMute();
    } catch (error) {
      if (error instanceof VoiceError && /^(mic_|insecure_page)/.test(error.code))
        this.#stage.notice(error.message, error.hint ?? '', () => void this.#talk(actor));
      else this.#failed(error);
    }
    this.#show();
  }

  #bindMute(): void {
    const { microphone } = this.#own;
    if (!microphone || this.#stopMuting) return;
    this.#stopMuting = microphone.holdToMute(this.#stage.muteButton);
    microphone.on('lost', ({ message, hint }) =>
      this.#stage.notice(message, hint ?? '', () => void this.#reopen()),
    );
    microphone.on('closed', () => {
      this.#stopMuting?.();
      this.#stopMuting = undefined;
    });
  }

  async #reopen(): Promise<void> {
    const actor = this.#actor();
    await this.#own.closeMicrophone().catch(() => {});
    if (actor) await this.#talk(actor);
  }

  async #interrupt(actor: Actor): Promise<void> {
    await this.#own
      .npc(actor.id)
      ?.interrupt()
      .catch((error: unknown) => this.#failed(error));
  }

  #watch(message: WatchedMessage): void {
    const known = this.#watched.get(message.of);
    if (message.t === 'scene' && !message.there) {
      this.#watched.delete(message.of);
      if (known && known === this.#scene) this.#select(this.#own);
      else this.#show();
    } else if (known) known.take(message);
    else if (message.t === 'scene') {
      const scene = new WatchedScene(message);
      this.#watched.set(message.of, scene);
      this.#subscribe(scene);
      this.#show();
    }
    // A game shows its reloads in its own scene; here they are noticed wherever they happen.
    if (message.t === 'persona_changed' && message.npcs.length > 0) this.#reloaded(message);
  }

  #isWatched(persona: string): boolean {
    const scenes = [...this.#watched.values()];
    return scenes.some(({ actors }) => [...actors.values()].some((actor) => actor.persona === persona));
  }

  #reloaded({ persona, changed, speed, cost, npcs }: PersonaChanged): void {
    const name = [...this.#scene.actors.values()].find((actor) => actor.persona === persona)?.name ?? persona;
    const took = cost < 10 ? cost.toFixed(1) : String(Math.round(cost));
    this.#toasts.show({
      tone: 'good',
      title: `${name}: ${listed(changed)}`,
      text:
        npcs.length === 0
          ? 'Nobody of it is on stage.'
          : `${SPEED[speed]}, ${took} ms${npcs.length > 1 ? `, for ${npcs.length} NPCs` : ''}`,
    });
  }

  #failed(error: unknown): void {
    const { message, hint } = error as { message: string; hint?: string };
    this.#toasts.show({ tone: 'bad', title: message, ...(hint === undefined ? {} : { text: hint }) });
  }

  #modelBadge(): HTMLElement {
    const { name, scripted, about } = this.#voice.model;
    return h(
      'span',
      { class: scripted ? 'badge scripted' : 'badge', title: about },
      h('b', {}, name.toLowerCase()),
      scripted && h('span', {}, 'scripted lines, understands nothing'),
    );
  }
}

function logo(): SVGSVGElement {
  return svg('svg', { class: 'logo', viewBox: '0 0 32 32', 'aria-hidden': 'true' },
    svg('rect', { width: 32, height: 32, rx: 9 }),
    svg('path', { d: 'M8 13v6M13 8v16M18 11v10M23 14v4' })); // prettier-ignore
}

const FEW = 3;
function listed(changed: readonly string[]): string {
  if (changed.length === 0) return 'reloaded';
  const more = changed.length - FEW;
  return changed.slice(0, FEW).join(', ') + (more > 0 ? ` and ${more} more` : '') + ' changed';
}
