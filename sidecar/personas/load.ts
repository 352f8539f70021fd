/** A persona's text made into a persona, or into the problems that keep it from being one. */
import {
  didYouMean,
  FileSchema,
  firstError,
  sortProblems,
  validate,
  withoutEmptyKeys,
  YamlSource,
  type Path,
  type Problem,
} from '../yaml';
import { MAX_ROLE, personaSchema, type Persona } from './schema';
import { scanVariables } from './variables';

export const personaFileSchema = new FileSchema(personaSchema);

/** What a persona's text is checked against besides its schema. */
export interface PersonaContext {
  /** Ids of the voices there are. */
  voices: readonly string[];
  /** Why voices that have a file are not among them. */
  refusedVoices?: ReadonlyMap<string, Problem>;
  /** What problems call the file; default: `<id>.yaml`. */
  file?: string;
}
export interface LoadedPersona {
  /** Absent when there is an error among the problems. */
  persona?: Persona;
  /** In the order of the file. */
  problems: Problem[];
  source: YamlSource;
}

export function loadPersona(id: string, text: string, context: PersonaContext): LoadedPersona {
  const source = new YamlSource(context.file ?? `${id}.yaml`, text);
  const { problems } = source;
  if (source.value === undefined && problems.length === 0)
    source.error('empty', [0, 0], 'The file is empty.',
      'A persona has at least a name, a role and a voice; `npc-voice persona new` writes one to begin with.'); // prettier-ignore
  if (problems.length > 0) return { problems, source };

  // A variable without a value is a mistake of its own, so those stay.
  const value = withoutEmptyKeys(source.value, ['state']);
  const written = validate(source, personaFileSchema, value);
  checkMeaning(source, value, id, context);
  sortProblems(problems);
  return written && !firstError(problems)
    ? { persona: { ...written, id }, problems, source }
    : { problems, source };
}

/** Every text of a persona in which variables may stand, with its path. Takes files that are not valid, too. */
export function* textsOf(persona: unknown): Generator<[path: Path, text: string]> {
  const { role, facts, lines } = mapOf(persona);
  if (typeof role === 'string') yield [['role'], role];
  yield* stringsOf(['facts'], facts);
  for (const [kind, variations] of Object.entries(mapOf(lines)))
    yield* stringsOf(['lines', kind], variations);
}

/** What the schema cannot know. Looks at the value as written, so that one mistake does not hide another. */
function checkMeaning(source: YamlSource, value: unknown, id: string, { voices, refusedVoices }: PersonaContext): void {
  const { id: written, voice, role, state } = mapOf(value);
  if (typeof written === 'string' && written !== id)
    source.report('warning', 'id_differs', source.valueRange(['id']),
      `The id is '${written}', but the file's name makes it '${id}'.`, 'Take the id out, or rename the file.');
  if (typeof voice === 'string' && !voices.includes(voice)) {
    const refused = refusedVoices?.get(voice);
    if (refused)
      source.error('unknown_voice', source.valueRange(['voice']),
        `The voice '${voice}' is refused: ${refused.message}`, `See ${refused.file}:${refused.line}:${refused.column}.`);
    else source.error('unknown_voice', source.valueRange(['voice']), `There is no voice '${voice}'.`, didYouMean(voice, voices));
  }
  const tag = typeof role === 'string' ? /<\/?system>/i.exec(role) : null;
  if (tag)
    source.error('system_tag', source.withinRange(['role'], tag[0], 0),
      `${tag[0]} does not belong in a role.`, 'Take it out; it is put around the prompt where a model needs it.');

  const known = Object.keys(mapOf(state));
  for (const [path, text] of textsOf(value)) {
    // Text too long for its key is told as that, and is not worth the time.
    if (source.full || text.length > MAX_ROLE) continue;
    const { uses, stray } = scanVariables(text);
    for (const { name, at } of uses)
      if (!known.includes(name))
        source.error('unknown_variable', source.withinRange(path, `{${name}}`, timesBefore(text, `{${name}}`, at)),
          `There is no variable '${name}' in state.`,
          didYouMean(name, known) ?? 'Declare it under state, with what it is until the game sets it.');
    for (const brace of stray)
      source.error('stray_brace', source.withinRange(path, brace.slice(0, 8), 0),
        `'${brace}' begins no variable.`, 'A variable is written {like_this}; {{ writes a brace.');
  }
} // prettier-ignore

/** Times `needle` stands in the text before `at`: as it is written, whatever else escapes change. */
const timesBefore = (text: string, needle: string, at: number): number =>
  text.slice(0, at).split(needle).length - 1;

function* stringsOf(path: Path, list: unknown): Generator<[path: Path, text: string]> {
  if (!Array.isArray(list)) return;
  for (const [i, text] of list.entries()) if (typeof text === 'string') yield [[...path, i], text];
}

const mapOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
