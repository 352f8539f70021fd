import { pc } from '../colours';
import { asNpcVoiceError } from '../errors';

/** Prints what went wrong and how to mend it, and ends the process with `exitCode`. */
export function fail(thrown: unknown, exitCode = 1): never {
  const error = asNpcVoiceError(thrown);
  const place = error.place ? `${error.place.file}:${error.place.line}:${error.place.column}: ` : '';
  process.stderr.write(`${pc.red('error')} ${place}${error.message} ${pc.dim(`(${error.code})`)}\n`);
  if (error.hint) process.stderr.write(`      ${error.hint}\n`);
  if (error.code === 'internal' && process.env.NPC_VOICE_DEBUG && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`);
  process.exit(exitCode);
}

/** A commander action whose rejection is told as `fail` tells it. */
export function action<Args extends unknown[]>(run: (...args: Args) => void | Promise<void>) {
  return async (...args: Args): Promise<void> => {
    try {
      await run(...args);
    } catch (thrown) {
      fail(thrown);
    }
  };
}
