/** Places in a text: the sidecar's lines and columns, the editor's offsets. */
import type { Diagnostic } from '@codemirror/lint';
import type { Text } from '@codemirror/state';
import type { PersonaProblem } from '../../wire/messages';

export const clamp = (value: number, low: number, high: number): number =>
  Math.max(low, Math.min(high, value));

/** The sidecar's problems as the editor's: at the words they name, or at the whole line. */
export function diagnostics(doc: Text, problems: readonly PersonaProblem[]): Diagnostic[] {
  const offset = (line: number, column: number): number => {
    const at = doc.line(clamp(line, 1, doc.lines));
    return clamp(at.from + column - 1, at.from, at.to);
  };
  return problems.map((problem) => {
    const from = offset(problem.line, problem.col);
    const to = Math.max(from, offset(problem.end_line, problem.end_col));
    const line = doc.lineAt(from);
    const message = problem.hint === undefined ? problem.msg : `${problem.msg}\n${problem.hint}`;
    return to > from
      ? { from, to, severity: problem.severity, message }
      : { from: line.from, to: line.to, severity: problem.severity, message };
  });
}

/** The one stretch in which two texts differ. */
export function difference(
  from: string,
  to: string,
): { from: number; to: number; insert: string } | undefined {
  if (from === to) return undefined;
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start++;
  let endFrom = from.length;
  let endTo = to.length;
  while (endFrom > start && endTo > start && from[endFrom - 1] === to[endTo - 1]) {
    endFrom--;
    endTo--;
  }
  return { from: start, to: endFrom, insert: to.slice(start, endTo) };
}
