/** The door: what is refused before a WebSocket exists. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { STATUS_CODES } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { MAX_PAYLOAD, readSubprotocols, SUBPROTOCOL } from '../wire';
import type { Gate } from './gate';
import { bearer } from './http';
import type { Log } from './log';
import type { Metrics } from './metrics';

export interface UpgradeOptions {
  gate: Gate;
  metrics: Metrics;
  log: Log;
  /** Connections there may be. */
  connections: number;
  open: () => number;
  /** `authorised`: the token came with the upgrade. */
  accept: (socket: WebSocket, authorised: boolean) => void;
}

interface Refusal {
  status: number;
  why: string;
}

export function acceptUpgrades(servers: readonly Server[], o: UpgradeOptions): WebSocketServer {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_PAYLOAD,
    perMessageDeflate: false,
    // The token's subprotocol is never selected: it would come back in the answer's headers.
    handleProtocols: () => SUBPROTOCOL,
    clientTracking: true,
  });
  for (const server of servers)
    server.on('upgrade', (request, socket, head) => {
      // A socket that resets while it is being refused is no event of ours.
      socket.on('error', () => socket.destroy());
      const verdict = judge(request, o);
      if ('status' in verdict) {
        o.metrics.refusals.inc({ code: String(verdict.status) });
        o.log.warn(`refused a connection: ${verdict.status} ${verdict.why}`);
        refuse(socket, verdict);
        return;
      }
      sockets.handleUpgrade(request, socket, head, (accepted) => o.accept(accepted, verdict.authorised));
    });
  return sockets;
}

function judge(request: IncomingMessage, o: UpgradeOptions): Refusal | { authorised: boolean } {
  const why = o.gate.refusal(request);
  if (why !== undefined) return { status: 403, why };
  if ((request.url ?? '/').split('?', 1)[0] !== '/')
    return { status: 404, why: 'Connections are taken at / only.' };
  const { speaksOurs, token: carried } = readSubprotocols(request.headers['sec-websocket-protocol']);
  if (!speaksOurs) return { status: 400, why: `Ask for the subprotocol ${SUBPROTOCOL}.` };
  const tokens = [bearer(request), carried].filter((token) => token !== undefined);
  if (!tokens.every((token) => o.gate.isToken(token)))
    return {
      status: 401,
      why: 'The token is wrong; the runtime file of the running sidecar has the right one.',
    };
  if (tokens.length === 0 && request.headers.authorization !== undefined)
    return { status: 401, why: 'Authorization takes the form: Bearer <token>.' };
  if (tokens.length === 0 && o.gate.isForeign(request))
    return { status: 401, why: 'From another machine the token comes with the upgrade.' };
  if (o.open() >= o.connections)
    return { status: 503, why: `All ${o.connections} connections are in use; close one or try again later.` };
  return { authorised: tokens.length > 0 };
}

function refuse(socket: Duplex, { status, why }: Refusal): void {
  const body = `${why}\n`;
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
      ...(status === 503 ? ['Retry-After: 5'] : []),
      '',
      body,
    ].join('\r\n'),
  );
}
