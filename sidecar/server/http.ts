/** What the sidecar's port answers to plain HTTP: the studio, the web client, health, metrics, the persona schema. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { readServed } from './files';
import type { Gate } from './gate';
import type { Log } from './log';
import type { Metrics } from './metrics';

export interface Health {
  version: string;
  protocol: number;
  /** Undefined: ready. Otherwise why not, one sentence. */
  notReady(): string | undefined;
}
export interface HttpOptions {
  gate: Gate;
  metrics: Metrics;
  log: Log;
  health: Health;
  /** Folders of the studio and of the web client. */
  studio: string;
  web: string;
  /** JSON Schema of persona files. */
  personaSchema: () => Promise<string> | string;
}

/** Older Safari does not take 'self' to cover WebSockets, hence ws:. */
const contentPolicy = (host = ''): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    // IPv6 addresses have no place in a policy; there 'self' has to do.
    `connect-src 'self'${/^[\w.-]+:\d+$/.test(host) ? ` ws://${host}` : ''}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
};

interface Answer {
  status: number;
  type: string;
  body: string | Buffer;
  headers?: Record<string, string>;
}
const plain = (status: number, sentence: string, headers?: Record<string, string>): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${sentence}\n`,
  headers,
});
const json = (status: number, value: object): Answer => ({
  status,
  type: 'application/json; charset=utf-8',
  body: JSON.stringify(value),
});

export function createHttpHandler(o: HttpOptions): RequestListener {
  return (request, response) => {
    answer(o, request)
      .catch((error: unknown) => {
        o.log.error(`HTTP ${request.method} failed: ${String(error)}`);
        return plain(500, 'The sidecar failed at this; its log says more.');
      })
      .then((a) => send(request, response, a, o.metrics))
      .catch(() => response.destroy());
  };
}

async function answer(o: HttpOptions, request: IncomingMessage): Promise<Answer> {
  const refusal = o.gate.refusal(request);
  if (refusal !== undefined) return plain(403, refusal);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return plain(405, 'Only GET and HEAD are answered here.', { allow: 'GET, HEAD' });
  const path = (request.url ?? '/').split('?', 1)[0]!;
  switch (path) {
    case '/healthz':
      return json(200, {
        status: 'ok',
        name: 'npc-voice',
        version: o.health.version,
        protocol: o.health.protocol,
        pid: process.pid,
      });
    case '/readyz': {
      const notReady = o.health.notReady();
      return notReady === undefined
        ? json(200, { status: 'ready' })
        : json(503, { status: 'not ready', why: notReady });
    }
    case '/metrics':
      if (o.gate.isForeign(request) && !carriesToken(o.gate, request))
        return plain(401, 'From another machine this needs the token: Authorization: Bearer <token>.');
      return { status: 200, type: o.metrics.registry.contentType, body: await o.metrics.registry.metrics() };
    case '/schema/persona.json':
      return { status: 200, type: 'application/schema+json; charset=utf-8', body: await o.personaSchema() };
  }
  const file = path.startsWith('/web/')
    ? await readServed(o.web, path.slice('/web/'.length))
    : await readServed(o.studio, path === '/' ? 'index.html' : path.slice(1));
  return file ? { status: 200, ...file } : plain(404, 'There is nothing here. The studio is at /.');
}

/** The token of an Authorization header. */
export function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
}
function carriesToken(gate: Gate, request: IncomingMessage): boolean {
  const token = bearer(request);
  return token !== undefined && gate.isToken(token);
}

function send(request: IncomingMessage, response: ServerResponse, a: Answer, metrics: Metrics): void {
  if (a.status >= 400) metrics.refusals.inc({ code: String(a.status) });
  // Bodies are never read: a request that has one is told, and cut off.
  if (a.status === 405) response.shouldKeepAlive = false;
  response.writeHead(a.status, {
    ...HEADERS,
    'content-security-policy': contentPolicy(request.headers.host),
    'content-type': a.type,
    'content-length': Buffer.byteLength(a.body),
    ...a.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : a.body);
}
