/** Completes persona keys, and values where the schema lists them, from the JSON Schema the sidecar serves. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import type { Text } from '@codemirror/state';

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  enum?: (string | number)[];
  type?: string;
  anyOf?: Schema[];
}

let schema: Promise<Schema> | undefined;
function loadSchema(): Promise<Schema> {
  schema ??= fetch('/schema/persona.json').then((answer) => answer.json() as Promise<Schema>);
  // Completion is a convenience: without the schema there is none, and the next try may find it.
  schema.catch(() => (schema = undefined));
  return schema;
}

export async function completePersona(context: CompletionContext): Promise<CompletionResult | null> {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  const root = await loadSchema().catch(() => undefined);
  if (!root) return null;
  const path = keysAbove(context.state.doc, line.number, indentOf(line.text));

  const value = /^(\s*(?:- )?)([a-z_]+):\s*([\w-]*)$/.exec(before);
  if (value) {
    const options = valuesOf(schemaAt(root, [...path, value[2]!])).map((label): Completion => ({
      label,
      type: 'constant',
    }));
    return options.length === 0 ? null : { from: context.pos - value[3]!.length, options };
  }
  const key = /^\s*(?:- )?([a-z_]*)$/.exec(before);
  if (!key || (key[1] === '' && !context.explicit)) return null;
  const options = Object.entries(schemaAt(root, path)?.properties ?? {}).map(
    ([label, { description, type }]): Completion => ({
      label,
      type: 'property',
      apply: type === 'object' || type === 'array' ? `${label}:` : `${label}: `,
      ...(description === undefined ? {} : { info: description }),
    }),
  );
  return options.length === 0 ? null : { from: context.pos - key[1]!.length, options };
}

const indentOf = (text: string): number => /^\s*(?:- )?/.exec(text)![0].length;

/** The keys under which a line at `indent` lies, outermost first. */
export function keysAbove(doc: Text, number: number, indent: number): string[] {
  const path: string[] = [];
  let within = indent;
  for (let n = number - 1; n >= 1 && within > 0; n--) {
    const { text } = doc.line(n);
    const key = /^(\s*(?:- )?)([a-z_]+):/.exec(text);
    if (!key || indentOf(text) >= within) continue;
    path.unshift(key[2]!);
    within = indentOf(text);
  }
  return path;
}

function schemaAt(root: Schema, path: readonly string[]): Schema | undefined {
  let at: Schema | undefined = root;
  for (const key of path) {
    at = at?.properties?.[key];
    if (at?.items) at = at.items;
  }
  return at;
}

function valuesOf(at: Schema | undefined): string[] {
  if (at?.type === 'boolean') return ['true', 'false'];
  return (at?.enum ?? at?.anyOf?.flatMap((one) => one.enum ?? []) ?? []).map(String);
}
