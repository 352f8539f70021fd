/** Something wrong in a file that a person wrote, with its exact place: what lint, the studio and the events tell. */
import { NpcVoiceError, type ErrorCode } from '../errors';

/** `error`: the file is refused. `warning`: probably not meant. `info`: worth knowing. */
export type Severity = 'error' | 'warning' | 'info';

export interface Problem {
  severity: Severity;
  /** What kind of problem, for programs: `unknown_key`, `long_line`. */
  code: string;
  /** One sentence. */
  message: string;
  /** How to mend it, one sentence. */
  hint?: string;
  file: string;
  /** 1-based; columns count UTF-16 units, as editors do. The end is exclusive. */
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  /** The same as offsets into the text, UTF-16 units, end exclusive. */
  from: number;
  to: number;
  /** The whole line at fault, without its line end. */
  source: string;
}

/** The problem as the error a request is refused with. */
export function problemError(problem: Problem, code: ErrorCode): NpcVoiceError {
  return new NpcVoiceError(code, problem.message, {
    hint: problem.hint,
    place: { file: problem.file, line: problem.line, column: problem.column },
  });
}

/** A problem with a file as a whole, such as one that cannot be read. */
export function fileProblem(file: string, code: string, message: string, hint?: string): Problem {
  return {
    severity: 'error', code, message, ...(hint === undefined ? {} : { hint }), file,
    line: 1, column: 1, endLine: 1, endColumn: 1, from: 0, to: 0, source: '',
  }; // prettier-ignore
}

export const firstError = (problems: readonly Problem[]): Problem | undefined =>
  problems.find((problem) => problem.severity === 'error');

/** In the order of the file; at one place, errors first. */
export function sortProblems(problems: Problem[]): Problem[] {
  const rank = { error: 0, warning: 1, info: 2 };
  return problems.sort((a, b) => a.from - b.from || rank[a.severity] - rank[b.severity]);
}
