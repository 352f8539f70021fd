/**
 * Who may talk to the sidecar at all, decided from a request's headers alone. Browsers let any page open a
 * WebSocket to loopback, and a hostile name can be made to resolve to it (DNS rebinding); so Host must be ours,
 * and an Origin, which browsers always send and cannot be made to forge, must be ours or allowed.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { NpcVoiceError } from '../errors';
import { TOKEN_PATTERN } from '../wire';

export const LOOPBACK = ['127.0.0.1', '::1'] as const;
const EVERYWHERE = ['0.0.0.0', '::'];

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
export const inUrl = (host: string): string => (isIPv6(host) ? `[${host}]` : host);

/** Names under which requests may ask for a sidecar bound to `host`: never a name that someone else could own. */
function namesFor(host: string): Set<string> {
  const names = new Set<string>(['127.0.0.1', 'localhost', '[::1]']);
  if (EVERYWHERE.includes(host))
    for (const addresses of Object.values(networkInterfaces()))
      for (const { address } of addresses ?? []) names.add(inUrl(address));
  else names.add(inUrl(host).toLowerCase());
  return names;
}

export interface Gate {
  /** Why a request is turned away, or undefined. */
  refusal(request: IncomingMessage): string | undefined;
  isToken(candidate: string): boolean;
  /** The connection comes from another machine. */
  isForeign(request: IncomingMessage): boolean;
}

export function createGate(o: {
  host: string;
  port: number;
  token: string;
  allowOrigins: readonly string[];
}): Gate {
  const names = namesFor(o.host);
  const hosts = new Set([...names].map((name) => `${name}:${o.port}`));
  if (o.port === 80) for (const name of names) hosts.add(name);
  const origins = new Set([...[...hosts].map((host) => `http://${host}`), ...o.allowOrigins]);
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(o.token);
  return {
    refusal({ headers }) {
      if (!hosts.has((headers.host ?? '').toLowerCase()))
        return `This is a sidecar of NPC Voice; ask for it as ${[...hosts].slice(0, 3).join(', ')}.`;
      if (headers.origin !== undefined && !origins.has(headers.origin.toLowerCase()))
        return 'Pages of this origin may not use the sidecar. Start it with --allow-origin to let them.';
      return undefined;
    },
    // Digests are equally long, so the comparison tells nothing of the token, its length included.
    isToken: (candidate) => timingSafeEqual(digest(candidate), expected),
    isForeign: ({ socket }) => !isLoopback((socket.remoteAddress ?? '').replace(/^::ffff:/, '')),
  };
}

/** 256 random bits, in characters that a WebSocket subprotocol may hold. */
export const newToken = (): string => randomBytes(32).toString('base64url');

/** @throws NpcVoiceError `bad_field` where the options would leave the sidecar open */
export function checkExposure(o: {
  host: string;
  token: string | undefined;
  allowOrigins: readonly string[];
}): void {
  if (o.token !== undefined && !TOKEN_PATTERN.test(o.token))
    throw new NpcVoiceError('bad_field', 'A token is 16 to 128 of A-Z, a-z, 0-9, and . _ ~ -', {
      hint: 'Leave --token out and a fresh one is made at every start.',
    });
  if (!isLoopback(o.host) && o.token === undefined)
    throw new NpcVoiceError(
      'unauthorized',
      `Serving ${o.host} lets other machines in, so it needs a token of yours.`,
      {
        hint: `Add --token with 16 or more characters, for example --token ${newToken()}`,
      },
    );
  for (const origin of o.allowOrigins) {
    const parsed = URL.canParse(origin) ? new URL(origin).origin : undefined;
    if (parsed !== origin)
      throw new NpcVoiceError('bad_field', `--allow-origin takes an origin, got ${JSON.stringify(origin)}`, {
        hint: 'Scheme, host and port and nothing more, for example http://localhost:5173',
      });
  }
}
