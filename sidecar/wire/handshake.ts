/** How a client presents itself while the WebSocket is being opened. */
import { SUBPROTOCOL } from './messages';

/** A browser cannot set headers, so its token travels as one more subprotocol. */
export const TOKEN_SUBPROTOCOL = 'npc-voice.token.';
/** Characters a token may have: those a subprotocol may. At least 16, to be worth guessing at. */
export const TOKEN_PATTERN = /^[A-Za-z0-9._~-]{16,128}$/;

/** What a browser passes as WebSocket subprotocols. */
export function subprotocols(token?: string): string[] {
  return token === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, TOKEN_SUBPROTOCOL + token];
}

/** Reads a `Sec-WebSocket-Protocol` header. */
export function readSubprotocols(header: string | undefined): { speaksOurs: boolean; token?: string } {
  const offered = (header ?? '').split(',').map((entry) => entry.trim());
  const carrier = offered.find((entry) => entry.startsWith(TOKEN_SUBPROTOCOL));
  return {
    speaksOurs: offered.includes(SUBPROTOCOL),
    token: carrier?.slice(TOKEN_SUBPROTOCOL.length),
  };
}
