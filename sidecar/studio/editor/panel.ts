/** The persona file beside the stage: open, edit, check, save, and never lose anybody's change. */
import { VoiceError, type NpcVoice, type PersonaRejected } from '../../../plugins/web/src';
import type { PersonaProblem } from '../../wire/messages';
import { h, icon, setText } from '../dom';
import { ICONS } from '../icons';
import type { Toasts } from '../view/toasts';
import { draftOffer, dropDraft, keepDraft, keptDraft, type Draft } from './draft';
import { Editor } from './editor';

export class PersonaPanel {
  readonly element: HTMLElement;
  readonly #voice: NpcVoice;
  readonly #toasts: Toasts;
  readonly #editor: Editor;
  readonly #title = h('h2', {});
  readonly #status = h('span', { class: 'file-status', role: 'status' });
  readonly #save: HTMLButtonElement;
  readonly #voices = h('select', { 'aria-label': 'Voice' });
  readonly #conflict = h('div', { class: 'notice conflict', role: 'alert', hidden: true });
  #persona: string | undefined;
  /** The file as last read or saved. */
  #saved = '';
  #hash: string | undefined;
  #problems: readonly PersonaProblem[] = [];

  constructor(voice: NpcVoice, toasts: Toasts) {
    this.#voice = voice;
    this.#toasts = toasts;
    this.#editor = new Editor({
      check: (text) => this.#check(text),
      save: () => void this.#write(),
      changed: () => {
        this.#keepDraft();
        this.#showStatus();
      },
    });
    this.#save = h(
      'button',
      {
        type: 'button',
        class: 'primary',
        'aria-keyshortcuts': 'Control+S',
        on: { click: () => void this.#write() },
      },
      'Save',
      h('kbd', {}, /Mac/.test(navigator.platform) ? '\u2318S' : 'Ctrl S'),
    );
    this.#voices.addEventListener('change', () => this.#editor.setValue('voice', this.#voices.value));
    this.element = h(
      'section',
      { class: 'persona', 'aria-label': 'Persona file' },
      h(
        'header',
        {},
        h('div', { class: 'file' }, this.#title, this.#status),
        h('label', { class: 'voice-pick' }, h('span', {}, 'Voice'), this.#voices),
        this.#save,
      ),
      this.#conflict,
      this.#editor.element,
    );
    voice.on('personaChanged', ({ persona }) => persona === this.#persona && void this.#refresh());
    voice.on('personaRejected', (rejected) => this.#rejected(rejected));
    // Back from another editor: the file may have changed without any NPC being live to report it.
    window.addEventListener('focus', () => void this.#refresh());
    const draft = keptDraft();
    if (draft) void this.#offer(draft);
  }

  get dirty(): boolean {
    return this.#editor.text !== this.#saved;
  }

  async open(persona: string): Promise<void> {
    if (persona === this.#persona) return;
    if (this.dirty && this.#persona !== undefined) {
      if (!this.#mayLeave()) return;
      dropDraft();
    }
    this.#persona = persona;
    setText(this.#title, `${persona}.yaml`);
    this.#conflict.hidden = true;
    this.#problems = [];
    try {
      const { yaml, hash } = await this.#voice.readPersona(persona);
      if (this.#persona !== persona) return;
      this.#saved = yaml;
      this.#hash = hash;
      this.#editor.open(yaml);
    } catch (error) {
      this.#failed('The file could not be read', error);
    }
    this.#listVoices();
    this.#showStatus();
  }

  #mayLeave(): boolean {
    return confirm(`${this.#persona}.yaml has changes that are not saved. Leave them?`);
  }

  #keepDraft(): void {
    const [persona, hash] = [this.#persona, this.#hash];
    if (!this.dirty) dropDraft();
    else if (persona !== undefined && hash !== undefined)
      keepDraft({ persona, hash, text: this.#editor.text });
  }

  /** Offers what was written before this page was loaded, unless the file says the same by now. */
  async #offer(draft: Draft): Promise<void> {
    const now = await this.#voice.readPersona(draft.persona).catch(() => undefined);
    if (now?.yaml === draft.text) return dropDraft();
    this.#conflict.after(draftOffer(draft, { putBack: () => void this.#putBack(draft), discard: dropDraft }));
  }

  async #putBack({ persona, text, hash }: Draft): Promise<void> {
    await this.open(persona);
    // They would rather stay with the file they are in.
    if (this.#persona !== persona) return this.#offer({ persona, text, hash });
    this.#editor.replace(text);
    // Of the file that was edited: had it changed since, saving asks before it overwrites that.
    this.#hash = hash;
    this.#keepDraft();
    this.#showStatus();
  }

  async #check(text: string): Promise<readonly PersonaProblem[]> {
    if (this.#persona === undefined || this.#voice.connection.status !== 'open') return [];
    try {
      this.#problems = await this.#voice.lintPersona(this.#persona, text);
    } catch {
      return [];
    }
    this.#showStatus();
    return this.#problems;
  }

  async #write(overwrite = false): Promise<void> {
    const persona = this.#persona;
    if (persona === undefined) return;
    const text = this.#editor.text;
    try {
      const { hash } = await this.#voice.writePersona(persona, text, overwrite ? undefined : this.#hash);
      this.#saved = text;
      this.#hash = hash;
      this.#conflict.hidden = true;
      this.#keepDraft();
      this.#showStatus();
    } catch (error) {
      if (error instanceof VoiceError && error.code === 'conflict') this.#showConflict();
      else this.#notSaved(error);
    }
  }

  #notSaved(error: unknown): void {
    const first = this.#problems.find(({ severity }) => severity === 'error');
    this.#failed('Not saved', error);
    const place = error instanceof VoiceError && error.place ? error.place : undefined;
    if (place) this.#editor.goTo(place.line, place.column);
    else if (first) this.#editor.goTo(first.line, first.col);
  }

  /** The file on disk is newer: taken over silently where nothing would be lost. */
  async #refresh(): Promise<void> {
    const persona = this.#persona;
    if (persona === undefined || this.#voice.connection.status !== 'open') return;
    const read = await this.#voice.readPersona(persona).catch(() => undefined);
    if (!read || this.#persona !== persona || read.hash === this.#hash) return;
    if (this.dirty && read.yaml !== this.#editor.text) return this.#showConflict();
    this.#saved = read.yaml;
    this.#hash = read.hash;
    this.#editor.replace(read.yaml);
    this.#listVoices();
    this.#showStatus();
  }

  #showConflict(): void {
    this.#conflict.hidden = false;
    this.#conflict.replaceChildren(
      icon(ICONS.warn),
      h(
        'div',
        {},
        h('b', {}, 'The file was changed elsewhere'),
        h('p', {}, 'Your changes here are not saved.'),
      ),
      h('button', { type: 'button', on: { click: () => void this.#takeTheirs() } }, 'Load the file'),
      h('button', { type: 'button', on: { click: () => void this.#write(true) } }, 'Overwrite it'),
    );
  }

  async #takeTheirs(): Promise<void> {
    try {
      const { yaml, hash } = await this.#voice.readPersona(this.#persona!);
      this.#saved = yaml;
      this.#hash = hash;
      this.#editor.replace(yaml);
      this.#conflict.hidden = true;
      dropDraft();
      this.#showStatus();
    } catch (error) {
      this.#failed('The file could not be read', error);
    }
  }

  #rejected({ persona, msg, hint, file, line, col, source }: PersonaRejected): void {
    const name = file.split(/[\\/]/).at(-1)!;
    const show = (): void =>
      void this.open(persona).then(() => persona === this.#persona && this.#editor.goTo(line, col));
    this.#toasts.show({
      tone: 'bad',
      title: source === '' ? name : `${name}, line ${line}`,
      text: [msg, hint].filter(Boolean).join('\n'),
      source: source.trim(),
      // A file that is refused for its name cannot be opened by it.
      ...(name === `${persona}.yaml` ? { action: { label: 'Show', run: show } } : {}),
    });
    if (persona === this.#persona) void this.#refresh();
  }

  #failed(title: string, error: unknown): void {
    const { message, hint } = error as { message: string; hint?: string };
    this.#toasts.show({ tone: 'bad', title, text: [message, hint].filter(Boolean).join('\n') });
  }

  #listVoices(): void {
    this.#voices.replaceChildren(
      ...this.#voice.voices.map(({ id, name }) =>
        h('option', { value: id }, name === id ? id : `${name} (${id})`),
      ),
    );
  }

  #showStatus(): void {
    const errors = this.#problems.filter(({ severity }) => severity === 'error').length;
    const warnings = this.#problems.filter(({ severity }) => severity === 'warning').length;
    const voice = this.#editor.value('voice');
    if (voice !== undefined) this.#voices.value = voice;
    this.#save.disabled = !this.dirty;
    const [tone, text] =
      errors > 0
        ? ['bad', errors === 1 ? '1 problem' : `${errors} problems`]
        : this.dirty
          ? ['dirty', 'not saved']
          : warnings > 0
            ? ['plain', warnings === 1 ? '1 remark' : `${warnings} remarks`]
            : ['good', 'saved'];
    this.#status.className = `file-status ${tone}`;
    setText(this.#status, text);
  }
}
