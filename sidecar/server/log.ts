/** The sidecar's log: one line an event, for a person at a terminal. What players and NPCs say is not in it. */
import pc from 'picocolors';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log {
  error(line: string): void;
  warn(line: string): void;
  info(line: string): void;
  debug(line: string): void;
}

const RANK: Record<LogLevel, number> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** `write` receives whole lines with their newline; colours only where a terminal shows them. */
export function createLog(
  level: LogLevel,
  write: (line: string) => void = (line) => process.stderr.write(line),
  colour = process.stderr.isTTY === true,
): Log {
  const c = pc.createColors(colour);
  const paint = { error: c.red, warn: c.yellow, info: c.green, debug: c.dim };
  const at =
    (name: keyof Log) =>
    (line: string): void => {
      if (RANK[name] > RANK[level]) return;
      const time = new Date().toTimeString().slice(0, 8);
      // A client's words never start a line of their own.
      write(`${c.dim(time)} ${paint[name](name.padEnd(5))} ${line.replace(CONTROL, ' ')}\n`);
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
