/** The YAML editor: CodeMirror, checked by the sidecar as one types. */
import { autocompletion, closeBrackets, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, indentOnInput, indentUnit } from '@codemirror/language';
import { lintGutter, lintKeymap, linter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import type { PersonaProblem } from '../../wire/messages';
import { completePersona } from './complete';
import { clamp, diagnostics, difference } from './marks';
import { theme } from './theme';

export interface EditorActions {
  check(text: string): Promise<readonly PersonaProblem[]>;
  save(): void;
  changed(): void;
}

/** Pause in typing after which the text is checked. */
const CHECK_AFTER_MS = 250;

export class Editor {
  readonly element = document.createElement('div');
  readonly #view: EditorView;
  readonly #extensions: Extension;
  /** Replaced text is not an edit of the user's. */
  #replacing = false;

  constructor(actions: EditorActions) {
    this.element.className = 'editor';
    // In a shadow root CodeMirror's style sheets are adopted, so the page's content security policy need not allow
    // inline styles.
    const root = this.element.attachShadow({ mode: 'open' });
    this.#extensions = [
      lineNumbers(),
      highlightActiveLineGutter(),
      history(),
      drawSelection(),
      indentOnInput(),
      indentUnit.of('  '),
      bracketMatching(),
      closeBrackets(),
      autocompletion({ override: [completePersona] }),
      highlightActiveLine(),
      highlightSelectionMatches(),
      search({ top: true }),
      yaml(),
      theme,
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': 'Persona file' }),
      lintGutter(),
      linter(async ({ state }) => diagnostics(state.doc, await actions.check(state.doc.toString())), {
        delay: CHECK_AFTER_MS,
      }),
      keymap.of([
        { key: 'Mod-s', preventDefault: true, run: () => (actions.save(), true) },
        ...completionKeymap,
        ...lintKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...defaultKeymap,
        indentWithTab,
      ]),
      EditorView.updateListener.of(({ docChanged }) => {
        if (docChanged && !this.#replacing) actions.changed();
      }),
    ];
    this.#view = new EditorView({ parent: root, root, state: this.#state('') });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Another file: its text, with a history of its own. */
  open(text: string): void {
    this.#view.setState(this.#state(text));
  }

  /** The same file, changed elsewhere: the cursor stays, and undo still works. */
  replace(text: string): void {
    const from = this.#view.state.doc.toString();
    const change = difference(from, text);
    if (!change) return;
    this.#replacing = true;
    this.#view.dispatch({ changes: change });
    this.#replacing = false;
  }

  /** Sets the value of a top-level key, as the user's own edit; adds the line where there is none. */
  setValue(key: string, value: string): void {
    const { doc } = this.#view.state;
    const at = new RegExp(`^${key}:[ \\t]*(.*?)[ \\t]*(?:#.*)?$`, 'm').exec(doc.toString());
    const from = at ? at.index + at[0].indexOf(at[1]!, key.length + 1) : 0;
    const change = at
      ? { from, to: from + at[1]!.length, insert: at[1] === '' && !at[0].endsWith(' ') ? ` ${value}` : value }
      : { from, insert: `${key}: ${value}\n` };
    this.#view.dispatch({ changes: change, selection: { anchor: from }, effects: centred(from) });
  }

  /** The value of a top-level key, unquoted. */
  value(key: string): string | undefined {
    const at = new RegExp(`^${key}:[ \\t]*(["']?)([^#\\n]*?)\\1[ \\t]*(?:#.*)?$`, 'm').exec(this.text);
    return at?.[2];
  }

  mark(problems: readonly PersonaProblem[]): void {
    this.#view.dispatch(setDiagnostics(this.#view.state, diagnostics(this.#view.state.doc, problems)));
  }

  goTo(line: number, column: number): void {
    const { doc } = this.#view.state;
    const at = doc.line(clamp(line, 1, doc.lines));
    const anchor = Math.min(at.from + column - 1, at.to);
    this.#view.dispatch({
      selection: { anchor },
      effects: EditorView.scrollIntoView(anchor, { y: 'center' }),
    });
    this.#view.focus();
  }

  #state(doc: string): EditorState {
    return EditorState.create({ doc, extensions: this.#extensions });
  }
}

const centred = (at: number) => EditorView.scrollIntoView(at, { y: 'center' });
