/**
 * Everything that is wrong or doubtful about a persona's text: the errors that keep it from being one, and
 * warnings about what its writer probably did not mean.
 */
// Not by way of the scene's index.ts: lint needs the matching of cues only, and the scene imports personas.
import { CueMatcher } from '../scene/cues';
import { sortProblems, type Path, type Problem, type Severity, type YamlSource } from '../yaml';
import { briefOf } from './brief';
import { loadPersona, textsOf, type PersonaContext } from './load';
import { estimatePrompt } from './prompt';
import type { Persona } from './schema';
import { fillVariables, scanVariables } from './variables';

/** A line longer than this keeps the player waiting for a turn, characters. */
const LONG_LINE = 220;
/** The understudy's speech begins when its first clause is ready, so long ones are heard late, characters. */
const LONG_CLAUSE = 110;
/** Seconds of the model's 240 s context; NVIDIA's own example prompts take 7 to 15. */
const LONG_PROMPT_SECONDS = 30;
const FEW_REPLIES = 4;

/** Sorted by place. Ranges are given both as offsets and as lines and columns. */
export function lintPersona(id: string, yamlText: string, context: PersonaContext): Problem[] {
  const { persona, problems, source } = loadPersona(id, yamlText, context);
  if (!persona) return problems;
  lintRole(source, persona);
  lintLineKinds(source, persona);
  for (const [path, text] of textsOf(persona)) if (path[0] === 'lines') lintLine(source, path, text);
  lintVariables(source, persona);
  lintCues(source, persona);
  if (!persona.language.startsWith('en'))
    source.report('warning', 'language', source.valueRange(['language']),
      `PersonaPlex and the understudy speak English, not '${persona.language}'.`); // prettier-ignore
  return sortProblems(source.problems);
}

function lintRole(source: YamlSource, persona: Persona): void {
  const { role, name } = persona;
  const say = (severity: Severity, code: string, message: string, hint?: string) =>
    source.report(severity, code, source.keyRange(['role']), message, hint);
  if (!/\byou\b|\byour\b/i.test(role))
    say('warning', 'role_person', 'The role does not speak to the character.', `Tell it who it is: "You are ${name}, ...".`);
  else if (!/^You (enjoy having a good conversation\.|work (for|at)\b|are a wise and friendly teacher\.)/.test(role))
    say('info', 'role_style', 'PersonaPlex learned from roles of another shape.', 'Begin with "You enjoy having a good conversation." or "You work for ...".');
  if (!name.split(/\s+/).some((word) => role.toLowerCase().includes(word.toLowerCase())))
    say('warning', 'role_name', `The role does not say that its name is ${name}.`, `Write: "You are ${name}, ...".`);
  // The voice has no part in the prompt's text.
  const voice = { id: persona.voice, understudy: { base: 'slt' as const } };
  const { tokens, seconds } = estimatePrompt(briefOf(persona, voice, {}).prompt);
  const long = seconds > LONG_PROMPT_SECONDS;
  say(long ? 'warning' : 'info', 'prompt_length',
    `The prompt is about ${tokens} tokens: ${seconds} s to prime at one token a frame, of the model's 240 s of context (an estimate).`,
    long ? 'Keep what it must never forget; let the game tell the rest by state.' : undefined); // prettier-ignore
} // prettier-ignore

function lintLineKinds(source: YamlSource, persona: Persona): void {
  const { lines, turn_taking: turns } = persona;
  const missing = (severity: Severity, kind: string, message: string, hint?: string) =>
    source.report(severity, 'lines_missing', source.keyRange(['lines', kind]), message, hint);
  if (lines.replies.length === 0)
    missing('warning', 'replies', 'Without replies the understudy answers nothing.', 'Add some under lines: replies:');
  else if (lines.replies.length < FEW_REPLIES)
    source.report('info', 'few_lines', source.keyRange(['lines', 'replies']),
      `With ${lines.replies.length} replies it will soon repeat itself.`, 'Eight or more sound natural.');
  if (lines.backchannels.length === 0 && turns.backchannels_per_minute > 0)
    missing('warning', 'backchannels', 'There are no backchannels to say.', 'Add some, or set turn_taking: backchannels_per_minute: 0.');
  if (lines.greeting.length === 0) missing('info', 'greeting', 'Without a greeting it waits to be spoken to.');
  if (lines.farewell.length === 0) missing('info', 'farewell', 'Without a farewell it leaves without a word.');
  if (lines.idle.length === 0 && lines.idle_every_s > 0)
    missing('info', 'idle', 'Without idle lines it is silent in a quiet.');
  for (const [kind, variations] of Object.entries(lines)) {
    if (!Array.isArray(variations)) continue;
    for (const [i, line] of variations.entries())
      if (variations.indexOf(line) < i)
        source.report('info', 'repeated_line', source.valueRange(['lines', kind, i]), 'This line is there already.');
  }
} // prettier-ignore

/** Punctuation that the understudy puts into ASCII itself. */
const NORMALISED = /[\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u00a0]/g;
const ASIDE = /\*[^*]+\*|\[[^\]]*\]|<[^<>]*>|\([^()]*\)/;

function lintLine(source: YamlSource, path: Path, line: string): void {
  const odd = /[^\x20-\x7e]/u.exec(line.replace(NORMALISED, ' '));
  if (odd)
    source.report('warning', 'unspeakable', source.withinRange(path, odd[0], 0),
      `The understudy cannot speak '${odd[0]}'.`, `Write it in ASCII${asciiHint(line)}.`);
  const aside = ASIDE.exec(line);
  if (aside)
    source.report('warning', 'spoken_aside', source.withinRange(path, aside[0], 0),
      `The understudy says this aloud: ${aside[0]}`, 'Take it out; how a line sounds is up to its words.');
  if (line.length > LONG_LINE)
    source.report('warning', 'long_line', source.valueRange(path),
      `This line has ${line.length} characters.`, `The player waits for it to end; ${LONG_LINE} are plenty.`);
  else if (line.split(/[,.;:!?]+(?:\s|$)/).some((clause) => clause.length > LONG_CLAUSE))
    source.report('info', 'long_clause', source.valueRange(path),
      'This line has a long clause.', 'It is spoken clause by clause; a comma lets it begin sooner, and be stopped sooner.');
} // prettier-ignore

/** The line without accents, where that is all it takes. */
function asciiHint(line: string): string {
  const plain = line.normalize('NFD').replace(/\p{M}/gu, '').replace(NORMALISED, "'");
  return /^[\x20-\x7e]*$/.test(plain) && plain.length <= 80 ? `: ${plain}` : '';
}

function lintVariables(source: YamlSource, persona: Persona): void {
  const used = new Set<string>();
  for (const [, text] of textsOf(persona)) for (const { name } of scanVariables(text).uses) used.add(name);
  for (const name of Object.keys(persona.state))
    if (!used.has(name))
      source.report('warning', 'unused_variable', source.keyRange(['state', name]),
        `Nothing uses the variable '${name}'.`, `Write {${name}} where it belongs, or take it out.`); // prettier-ignore
}

function lintCues(source: YamlSource, persona: Persona): void {
  const phrases = persona.cues.flatMap(({ id, says }, cue) =>
    says.map((phrase, i) => ({ id, phrase, path: ['cues', cue, 'says', i] })),
  );
  // One matcher for all, each phrase an event of its own: every line is gone through once.
  const matcher = new CueMatcher(phrases.map(({ phrase }, i) => ({ id: String(i), says: [phrase] })));
  const reached = new Set<string>();
  for (const [path, text] of textsOf(persona)) {
    if (path[0] !== 'lines') continue;
    matcher.restart();
    for (const event of matcher.heard(fillVariables(text, (name) => persona.state[name]))) reached.add(event);
  }
  for (const [i, { id, phrase, path }] of phrases.entries())
    if (!reached.has(String(i)))
      source.report('warning', 'unreachable_cue', source.valueRange(path),
        `No line says '${phrase}', so the understudy never sets off '${id}'.`,
        'Say it in a line; * stands for any one word.'); // prettier-ignore
}
