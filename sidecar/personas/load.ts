/** A persona's text made into a persona, or into the problems that keep it from being one. */
import {
  didYouMean, FileSchema, firstError, sortProblems, validate, withoutEmptyKeys, YamlSource,
  type Path, type Problem,
} from '../yaml'; // prettier-ignore
import { personaSchema, type Persona } from './schema';
import { scanVariables } from './variables';

export const personaFileSchema = new FileSchema(personaSchema);

/** What a persona's text is checked against besides its schema. */
export interface PersonaContext {
  /** Ids of the voices there are. */
  voices: readonly string[];
  /** What problems call the file; default: `<id>.yaml`. */
  file?: string;
}
export interface LoadedPersona {
  /** Absent when there is an error among the problems. */
  persona?: Persona;
  problems: Problem[];
  source?: YamlSource;
}

export function loadPersona(id: string, text: string, context: PersonaContext): LoadedPersona {
  const file = context.file ?? `${id}.yaml`;
  const source = new YamlSource(file, text);
  if (source.value === undefined && source.problems.length === 0)
    source.error('empty', [0, 0], 'The file is empty.',
      'A persona has at least a name, a role and a voice; `npc-voice persona new` writes one to begin with.'); // prettier-ignore
  if (source.problems.length > 0) return { problems: source.problems, source };
  // A variable without a value is a mistake of its own, so those stay.
  const written = validate(source, personaFileSchema, withoutEmptyKeys(source.value, ['state']));
  if (!written) return { problems: sortProblems(source.problems), source };

  const persona: Persona = { ...written, id };
  if (written.id !== undefined && written.id !== id)
    source.report('warning', 'id_differs', source.valueRange(['id']),
      `The id is '${written.id}', but the file's name makes it '${id}'.`, 'Take the id out, or rename the file.'); // prettier-ignore
  if (!context.voices.includes(persona.voice))
    source.error('unknown_voice', source.valueRange(['voice']),
      `There is no voice '${persona.voice}'.`, didYouMean(persona.voice, context.voices)); // prettier-ignore
  checkVariables(source, persona);
  const tag = /<\/?system>/i.exec(persona.role);
  if (tag)
    source.error('system_tag', source.withinRange(['role'], tag[0], 0),
      `${tag[0]} does not belong in a role.`, 'Take it out; it is put around the prompt where a model needs it.'); // prettier-ignore

  sortProblems(source.problems);
  return firstError(source.problems)
    ? { problems: source.problems, source }
    : { persona, problems: source.problems, source };
}

/** Every text of a persona in which variables may stand, with its path. */
export function* textsOf(persona: Persona): Generator<[path: Path, text: string]> {
  yield [['role'], persona.role];
  for (const [i, fact] of persona.facts.entries()) yield [['facts', i], fact];
  for (const [kind, variations] of Object.entries(persona.lines))
    if (Array.isArray(variations))
      for (const [i, line] of variations.entries()) yield [['lines', kind, i], line];
}

function checkVariables(source: YamlSource, persona: Persona): void {
  const known = Object.keys(persona.state);
  for (const [path, text] of textsOf(persona)) {
    const { uses, stray } = scanVariables(text);
    for (const use of uses)
      if (!Object.hasOwn(persona.state, use.name))
        source.error('unknown_variable', source.withinRange(path, `{${use.name}}`, use.nth),
          `There is no variable '${use.name}' in state.`,
          didYouMean(use.name, known) ?? 'Declare it under state, with what it is until the game sets it.'); // prettier-ignore
    for (const brace of stray)
      source.error('stray_brace', source.withinRange(path, brace.slice(0, 8), 0),
        `'${brace}' begins no variable.`, 'A variable is written {like_this}; {{ writes a brace.'); // prettier-ignore
  }
}
