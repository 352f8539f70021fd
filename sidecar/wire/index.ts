/** The wire: `npc-voice.v1`. PROTOCOL.md is the page for client authors. No Node imports: browsers load it too. */
export * from './messages';
export * from './limits';
export { CLOSE, type CloseCode } from './close';
export { decodeMessage, encodeMessage } from './codec';
export { errorFromMessage, errorMessage } from './faults';
export { ID_PATTERN } from './fields';
export { readSubprotocols, subprotocols, TOKEN_PATTERN, TOKEN_SUBPROTOCOL } from './handshake';
export { parseClientMessage, parseServerMessage, requestIdOf } from './validate';
export { CLIENT_SHAPES } from './client-shapes';
export { SCENE_FIGURES, SERVER_SHAPES } from './server-shapes';
