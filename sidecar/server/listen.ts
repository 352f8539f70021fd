/** One port, on every address asked for. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NpcVoiceError } from '../errors';
import { isLoopback, LOOPBACK } from './gate';

/** Ports tried after the one asked for. */
export const PORTS_TRIED = 20;
/** TCP connections at each address. */
const MAX_SOCKETS = 256;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';
const isTaken = (error: unknown): boolean => codeOf(error) === 'EADDRINUSE';
/** A machine without IPv6. */
const isAbsent = (error: unknown): boolean => ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(codeOf(error));

function bind(address: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    // Slow and oversized requests are cut off by Node itself at these.
    const server = createServer({ maxHeaderSize: 8192, headersTimeout: 10_000, requestTimeout: 20_000 });
    // More than WebSockets there may be, so that those over their cap are told; beyond this, nobody is.
    server.maxConnections = MAX_SOCKETS;
    server.once('error', reject);
    server.listen({ host: address, port, ipv6Only: address === '::1' }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}
const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

/** All addresses at one port: whoever held the other half of `localhost` could answer in the sidecar's name. */
async function bindAll(addresses: readonly string[], port: number): Promise<Server[]> {
  const servers: Server[] = [];
  try {
    for (const address of addresses) {
      try {
        servers.push(await bind(address, servers[0] ? portOf(servers[0]) : port));
      } catch (error) {
        if (!(isAbsent(error) && addresses.length > 1)) throw error;
      }
    }
  } catch (error) {
    await Promise.all(servers.map(close));
    throw error;
  }
  return servers;
}

export interface Listening {
  servers: Server[];
  port: number;
}

/**
 * Listens at `port` or, where it is taken, the next free one. Port 0: any.
 * @throws NpcVoiceError `io`
 */
export async function listen(host: string, port: number): Promise<Listening> {
  const addresses = isLoopback(host) ? LOOPBACK : [host];
  for (let attempt = 0; attempt <= PORTS_TRIED; attempt++) {
    // Port 0 may be given a number that is free at one address only; the next try gets another.
    const at = port === 0 ? 0 : port + attempt;
    try {
      const servers = await bindAll(addresses, at);
      if (servers[0]) return { servers, port: portOf(servers[0]) };
      throw new Error('This machine has no loopback address.');
    } catch (error) {
      if (isTaken(error)) continue;
      throw new NpcVoiceError('io', `Cannot listen at ${host}, port ${at}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  throw new NpcVoiceError('io', `Ports ${port} to ${port + PORTS_TRIED} are all taken.`, {
    hint: 'Name a free one with --port, or --port 0 for any.',
  });
}

export function answerWith(servers: readonly Server[], listener: RequestListener): void {
  for (const server of servers) server.on('request', listener);
}
