/** A parsed file held against its schema: every disagreement becomes a problem at its place, in a writer's words. */
import { z } from 'zod';
import { didYouMean, nearest } from './suggest';
import type { Path, YamlSource } from './source';

type Issue = z.core.$ZodIssue;
type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A schema with its JSON Schema beside it: what keys there are, for "did you mean". */
export class FileSchema<S extends z.ZodType> {
  private cached: JsonSchema | undefined;
  constructor(readonly zod: S) {}

  /** Draft 7, which editors complete from best; describes the file as people write it, scalar defaults included. */
  get json(): JsonSchema {
    return (this.cached ??= z.toJSONSchema(this.zod, {
      target: 'draft-07',
      io: 'input',
      // Editors that insert defaults would write `{}` and `[]`, which nobody wants to begin a map or a list with.
      override: ({ jsonSchema }) => {
        if (typeof jsonSchema.default === 'object') delete jsonSchema.default;
      },
    }) as JsonSchema);
  }
  /** The keys known at `path`. */
  keysAt(path: Path): string[] {
    return Object.keys(this.at(path)?.properties ?? {});
  }
  /** What is said about the key at `path`. */
  about(path: Path): string | undefined {
    return this.at(path)?.description;
  }
  /** Where else a key of that name belongs: `turn_taking.patience_ms`. */
  elsewhere(key: string): string | undefined {
    const search = (schema: JsonSchema, at: string): string | undefined => {
      for (const [name, inner] of Object.entries(schema.properties ?? {})) {
        if (typeof inner === 'boolean') continue;
        if (name === key) return at + name;
        const found = search(inner as JsonSchema, `${at}${name}.`);
        if (found) return found;
      }
      return undefined;
    };
    return search(this.json, '');
  }
  private at(path: Path): JsonSchema | undefined {
    let schema: JsonSchema | undefined = this.json;
    for (const step of path)
      schema = (typeof step === 'number' ? schema?.items : schema?.properties?.[String(step)]) as
        JsonSchema | undefined;
    return schema;
  }
}

/** The value with its defaults when the file agrees with the schema; otherwise undefined, and the problems tell. */
export function validate<S extends z.ZodType>(
  source: YamlSource,
  schema: FileSchema<S>,
  value: unknown,
): z.output<S> | undefined {
  const result = schema.zod.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) reportIssue(source, schema, issue, value);
  return undefined;
}

function reportIssue(source: YamlSource, schema: FileSchema<z.ZodType>, issue: Issue, root: unknown): void {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const known = schema.keysAt(path);
      const other = nearest(key, known) === undefined ? schema.elsewhere(key) : undefined;
      const hint = other ? `It belongs there: ${other}` : didYouMean(key, known);
      source.error(
        'unknown_key',
        source.keyRange([...path, key]),
        `'${key}' is not a key of ${nameOf(path)}.`,
        hint,
      );
    }
    return;
  }
  const found = valueAt(root, path);
  const name = capital(nameOf(path));
  if (found === undefined && issue.code === 'invalid_type') {
    source.error('missing', source.keyRange(path), `${name} is missing.`, schema.about(path));
    return;
  }
  const at = issue.code === 'invalid_key' ? source.keyRange(path) : source.valueRange(path);
  source.error(codeOf(issue), at, `${name} ${complaint(issue, found)}.`, hintFor(issue, found, schema, path));
}

const codeOf = (issue: Issue): string =>
  ({
    invalid_type: 'wrong_type',
    invalid_union: 'wrong_type',
    invalid_value: 'wrong_value',
    invalid_format: 'wrong_form',
    invalid_key: 'bad_key',
    too_small: 'out_of_range',
    too_big: 'out_of_range',
  })[issue.code as string] ?? 'wrong_value';

function complaint(issue: Issue, found: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return `takes ${kindOf(issue.expected)}, not ${valueWords(found)}`;
    case 'invalid_value':
      return `takes ${issue.values.map((v) => `'${String(v)}'`).join(', ')}, not ${valueWords(found)}`;
    case 'too_small':
    case 'too_big': {
      const [few, most] =
        issue.code === 'too_small' ? ['at least', issue.minimum] : ['at most', issue.maximum];
      if (issue.origin === 'string' && issue.code === 'too_small') return 'is empty';
      if (issue.origin === 'string')
        return `is ${String(found).length} characters long, and ${few} ${most} fit`;
      if (issue.origin === 'array') return `takes ${few} ${most} entries`;
      return `is ${few} ${most}, not ${valueWords(found)}`;
    }
    case 'invalid_union':
      return `takes text, a number or true/false, not ${valueWords(found)}`;
    case 'invalid_format':
      return `is ${valueWords(found)}, and ${issue.message}`;
    case 'invalid_key':
      return `cannot be called that: ${issue.issues[0]?.message ?? 'wrong form'}`;
    default:
      return `is not right: ${issue.message}`;
  }
}

function hintFor(
  issue: Issue,
  found: unknown,
  schema: FileSchema<z.ZodType>,
  path: Path,
): string | undefined {
  if (issue.code === 'invalid_value') return didYouMean(String(found), issue.values.map(String));
  if (issue.code === 'invalid_type' && issue.expected === 'string') {
    if (typeof found === 'object' && found !== null && !Array.isArray(found))
      return 'Text with \': \' in it, or beginning with {, needs "quotes" around all of it.';
    if (typeof found === 'number' || typeof found === 'boolean')
      return `For the word, write "${String(found)}" in quotes.`;
  }
  if (issue.code === 'invalid_type' && issue.expected === 'array' && typeof found === 'string')
    return 'A list has each entry on a line of its own, after "- ".';
  return schema.about(path);
}

const kindOf = (expected: string): string =>
  ({
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'keys and values',
    record: 'keys and values',
  })[expected] ?? expected;

function valueWords(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys and values';
  if (typeof value === 'string') return `'${value.length > 40 ? value.slice(0, 39) + '…' : value}'`;
  return String(value);
}

/** `'turn_taking.overlap'`, `entry 2 of 'facts'`, `'id' of entry 1 of 'cues'`. */
function nameOf(path: Path): string {
  const words: string[] = [];
  let keys: string[] = [];
  const flush = () => {
    if (keys.length > 0) words.unshift(`'${keys.join('.')}'`);
    keys = [];
  };
  for (const step of path) {
    if (typeof step !== 'number') keys.push(String(step));
    else {
      flush();
      words.unshift(`entry ${step + 1}`);
    }
  }
  flush();
  return words.length === 0 ? 'the file' : words.join(' of ');
}
const capital = (words: string): string => words[0]!.toUpperCase() + words.slice(1);

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** Without keys that were given no value: `facts:` with nothing under it is as if it were not there. */
export function withoutEmptyKeys(value: unknown, except: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutEmptyKeys(item));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.create(null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === null) continue;
    kept[key] = except.includes(key) ? inner : withoutEmptyKeys(inner);
  }
  return kept;
}
