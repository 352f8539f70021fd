/** From bytes to checked messages. */
import { NpcVoiceError } from '../errors';
import { CLIENT_SHAPES, checkTogether } from './client-shapes';
import { decodeMessage } from './codec';
import { checkFields, isId, isUint32, show, type AnyShape } from './fields';
import { MAX_MESSAGE, MAX_PAYLOAD, MAX_VALUES } from './limits';
import type { ClientMessage, ServerMessage } from './messages';
import { SERVER_SHAPES } from './server-shapes';

const clientShapes = new Map<unknown, AnyShape>(Object.entries(CLIENT_SHAPES));
const serverShapes = new Map<unknown, AnyShape>(Object.entries(SERVER_SHAPES));

const unknownType = (t: unknown, types: Map<unknown, AnyShape>): NpcVoiceError =>
  typeof t === 'string'
    ? new NpcVoiceError('unknown_type', `There is no message of type ${show(t)}.`, {
        hint: `The types are ${[...types.keys()].join(', ')}.`,
      })
    : new NpcVoiceError('bad_message', 'A message names its type in t, as text.');

/** Files travel in these; every other message is small. */
const carriesFile = (t: unknown): boolean => t === 'write_persona' || t === 'lint_persona';

/** The hot ones are checked by hand: most messages of a connection are these. */
function isPlainStream(message: Record<string, unknown>): boolean {
  if (message.t === 'mic')
    return isId(message.mic) && isUint32(message.n) && message.pcm instanceof Uint8Array;
  return message.t === 'played' && message.s === undefined && isId(message.npc) && isUint32(message.n);
}

/** A refused message's request id, where it had one: so that it is answered. */
const requestIds = new WeakMap<NpcVoiceError, number>();
export const requestIdOf = (error: NpcVoiceError): number | undefined => requestIds.get(error);

/**
 * Decodes and checks what a client sent. Binary values share the memory of `bytes`.
 * @throws NpcVoiceError `too_large`, `bad_message`, `unknown_type` or `bad_field`; `requestIdOf` tells the
 * request's id where one could be read
 */
export function parseClientMessage(bytes: Uint8Array): ClientMessage {
  if (bytes.byteLength > MAX_PAYLOAD)
    throw new NpcVoiceError(
      'too_large',
      `A message is at most ${MAX_PAYLOAD} bytes, got ${bytes.byteLength}`,
    );
  const message = decodeMessage(bytes, { values: MAX_VALUES });
  try {
    if (bytes.byteLength > MAX_MESSAGE && !carriesFile(message.t))
      throw new NpcVoiceError(
        'too_large',
        `This message is at most ${MAX_MESSAGE} bytes, got ${bytes.byteLength}`,
      );
    if (isPlainStream(message)) return message as unknown as ClientMessage;
    const shape = clientShapes.get(message.t);
    if (!shape) throw unknownType(message.t, clientShapes);
    checkFields(message.t as string, shape, message, 'refuse');
    checkTogether(message as unknown as ClientMessage);
    return message as unknown as ClientMessage;
  } catch (error) {
    if (error instanceof NpcVoiceError && isUint32(message.id)) requestIds.set(error, message.id);
    throw error;
  }
}

/**
 * Decodes and checks what the sidecar sent, for clients and tests. Fields this version does not know are let pass;
 * a client passes over types it does not know (`unknown_type`).
 * @throws NpcVoiceError `bad_message`, `unknown_type` or `bad_field`
 */
export function parseServerMessage(bytes: Uint8Array): ServerMessage {
  const message = decodeMessage(bytes);
  const shape = serverShapes.get(message.t);
  if (!shape) throw unknownType(message.t, serverShapes);
  checkFields(message.t as string, shape, message, 'ignore');
  return message as unknown as ServerMessage;
}
