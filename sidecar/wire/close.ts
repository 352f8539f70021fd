/** Why a connection ended, by WebSocket close code. */
export const CLOSE = {
  /** Either side is done. */
  normal: 1000,
  /** The sidecar is ending. */
  goingAway: 1001,
  /** Broken WebSocket framing (sent by the WebSocket layer itself). */
  protocol: 1002,
  /** A text message came; every message is binary. */
  textMessage: 1003,
  /** A message over MAX_PAYLOAD came (sent by the WebSocket layer itself). */
  tooLarge: 1009,
  /** `identify` named a protocol version the sidecar does not speak. */
  version: 4002,
  /** No `identify` in time. */
  notIdentified: 4003,
  /** `identify` carried no token or a wrong one. */
  unauthorized: 4004,
  /** The client went on sending after being told `too_fast`. */
  tooFast: 4006,
  /** Nothing was heard of the client, pongs included. */
  silent: 4007,
  /** The client does not read what it is sent. */
  slowConsumer: 4008,
} as const;
export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];
