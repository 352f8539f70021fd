/** Errors as messages, and back. */
import { NpcVoiceError } from '../errors';
import type { ErrorMessage } from './messages';

/** `id`: the request that failed, if it was one. */
export function errorMessage(error: NpcVoiceError, id?: number): ErrorMessage {
  return {
    t: 'error',
    id,
    code: error.code,
    msg: error.message,
    hint: error.hint,
    file: error.place?.file,
    line: error.place?.line,
    col: error.place?.column,
  };
}

export function errorFromMessage(message: ErrorMessage): NpcVoiceError {
  const { code, msg, hint, file, line, col } = message;
  const place =
    file !== undefined && line !== undefined && col !== undefined ? { file, line, column: col } : undefined;
  return new NpcVoiceError(code, msg, { hint, place });
}
