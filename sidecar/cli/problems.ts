/** Problems of files that people write, as a terminal shows them. */
import { pc } from '../colours';
import type { Problem } from '../yaml';
import { shortPath } from './folders';

/** Widest part of a source line that is shown, characters. */
const WINDOW = 100;
const COLOUR = { error: pc.red, warning: pc.yellow, info: pc.cyan };

/** `file:line:column: severity: message [code]`, the line at fault with a caret under the place, and the hint. */
export function renderProblem(problem: Problem): string {
  const { severity, file, line, column, message, code, hint, source } = problem;
  const colour = COLOUR[severity];
  const head = `${pc.bold(`${shortPath(file)}:${line}:${column}`)}: ${colour(severity)}: ${message} ${pc.dim(`[${code}]`)}`;
  const excerpt = severity === 'info' || source.trim() === '' ? [] : caretLines(problem, colour);
  return [head, ...excerpt, ...(hint === undefined ? [] : [`  ${hint}`])].join('\n');
}

function caretLines(
  { line, column, endLine, endColumn, source }: Problem,
  colour: (s: string) => string,
): string[] {
  const from = Math.max(0, Math.min(column - 1 - WINDOW / 2, source.length - WINDOW));
  const shown = source.slice(from, from + WINDOW);
  const end = endLine === line ? endColumn : source.length + 1;
  const width = Math.max(1, Math.min(end - column, from + WINDOW - column + 1));
  // Tabs stay tabs, so that the caret stands under its column whatever their width.
  const before = source.slice(from, column - 1).replace(/[^\t]/g, ' ');
  const number = String(line);
  const bar = pc.dim('|');
  return [
    `  ${pc.dim(number)} ${bar} ${shown}`,
    `  ${' '.repeat(number.length)} ${bar} ${before}${colour('^'.repeat(width))}`,
  ];
}

/** `2 errors, 1 warning` of so many files. */
export function summary(files: number, problems: readonly Problem[]): string {
  const count = (severity: Problem['severity']) => problems.filter((p) => p.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const of = `${files} ${files === 1 ? 'file' : 'files'}`;
  if (errors + warnings === 0) return `${pc.green('ok')} ${of}, nothing wrong`;
  const said = [errors && plural(errors, 'error'), warnings && plural(warnings, 'warning')].filter(Boolean);
  return `${errors > 0 ? pc.red('refused') : pc.yellow('doubtful')} ${said.join(' and ')} in ${of}`;
}

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
