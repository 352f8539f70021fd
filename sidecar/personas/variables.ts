/**
 * {variables} in persona text: `{gold}` is what the state says, `{{` and `}}` are braces. A brace that closes
 * nothing is itself.
 */
import type { StateValue } from '../wire/messages';
import { VARIABLE_PATTERN } from './schema';

export interface VariableUse {
  name: string;
  /** Where its brace stands in the text. */
  at: number;
}
export interface VariableScan {
  uses: VariableUse[];
  /** `{` that begins no variable: what follows it, for the message. */
  stray: string[];
}

const TOKEN = /\{\{|\}\}|\{([^{}]*)\}|\{/g;

/** The variables a text uses, and braces that are neither a variable nor escaped. */
export function scanVariables(text: string): VariableScan {
  const uses: VariableUse[] = [];
  const stray: string[] = [];
  for (const match of text.matchAll(TOKEN)) {
    if (match[0] === '{{' || match[0] === '}}') continue;
    const name = match[1];
    if (name === undefined || !VARIABLE_PATTERN.test(name))
      stray.push(text.slice(match.index, match.index + 20));
    else uses.push({ name, at: match.index });
  }
  return { uses, stray };
}

/** The text with variables filled in. Values are put in as they are: braces in them mean nothing. */
export function fillVariables(text: string, valueOf: (name: string) => StateValue | undefined): string {
  if (!text.includes('{') && !text.includes('}')) return text;
  return text.replace(TOKEN, (whole, name: string | undefined) => {
    if (whole === '{{') return '{';
    if (whole === '}}') return '}';
    const value = name === undefined ? undefined : valueOf(name);
    return value === undefined ? whole : String(value);
  });
}

/** Text that fillVariables gives back as `text`. */
export const escapeBraces = (text: string): string => text.replace(/[{}]/g, (brace) => brace + brace);
