/** What the sidecar refuses to be sent, by size. PROTOCOL.md lists them; a test holds the two together. */

/** Bytes of one WebSocket message: over this the connection ends with close code 1009. */
export const MAX_PAYLOAD = 256 * 1024;
/** Bytes of one message other than `lint_persona` and `write_persona`: over this it is refused as `too_large`. */
export const MAX_MESSAGE = 64 * 1024;
/** Maps and lists inside one another. */
export const MAX_DEPTH = 8;
/** Values (keys included) in one client message. */
export const MAX_VALUES = 1024;
/** Longest `say.text`, in UTF-16 units. */
export const MAX_SAY = 2000;
/** Longest `yaml`, in UTF-16 units. */
export const MAX_YAML = 128 * 1024;
/** Variables in one `set_state`. */
export const MAX_VARS = 64;
/** Longest text value of a variable, in UTF-16 units. */
export const MAX_VAR_TEXT = 200;
