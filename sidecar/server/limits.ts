/** How much one sidecar lets its clients ask of it. Tests lower these; PROTOCOL.md lists them. */
export interface ServerLimits {
  connections: number;
  /** Requests awaiting their answer on one connection. */
  inFlight: number;
  /** Requests a second, and how many may come at once. */
  requestsPerSecond: number;
  requestBurst: number;
  /** Messages of any kind a second, which are also how many may come at once. */
  messagesPerSecond: number;
  /** Refusals for speed after which a connection ends; they are forgiven at a twentieth of this a second. */
  refusals: number;
  identifyMs: number;
  /** Between pings; a client silent for three of these is gone. */
  pingMs: number;
  /** Unread bytes at which NPC audio is dropped. */
  dropAudioBytes: number;
  /** Unread bytes at which the connection ends. */
  closeBytes: number;
  /** How long audio may be dropped without a pause before the connection ends. */
  stalledMs: number;
  /** How long closing connections get to say goodbye. */
  goodbyeMs: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  connections: 32,
  inFlight: 64,
  requestsPerSecond: 200,
  requestBurst: 400,
  messagesPerSecond: 4000,
  refusals: 1000,
  identifyMs: 5000,
  pingMs: 10_000,
  dropAudioBytes: 1 << 20,
  closeBytes: 8 << 20,
  stalledMs: 10_000,
  goodbyeMs: 1000,
};
