/** A hub on loopback that behaves as Hugging Face's does: gates, redirects to a CDN of another origin, ranges, faults. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServedFile {
  bytes: Uint8Array;
  /** Large files are described by the hub and fetched from the CDN. */
  large: boolean;
}

export interface Seen {
  at: 'hub' | 'cdn';
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
}

export interface Faults {
  /** Tokens that may read; none: anybody. */
  tokens?: readonly string[];
  /** Tokens that are known but whose owners have not accepted the licence. */
  notAccepted?: readonly string[];
  /** The CDN refuses so many links as expired. */
  expired?: number;
  /** Break off after so many bytes of a body, this many times. */
  drop?: { after: number; times: number };
  /** Answer 503 this many times. */
  busy?: number;
  /** Ignore ranges: send everything with 200. */
  ignoreRanges?: boolean;
  /** Send these bytes instead of the file's. */
  corrupt?: (bytes: Uint8Array) => Uint8Array;
  /** Say nothing any more after so many bytes, once. */
  hang?: { after: number; times: number };
  redirectTo?: string;
}

export class HubServer {
  readonly seen: Seen[] = [];
  faults: Faults = {};
  /** None, as some mirrors, when empty. */
  commit = 'c0ffee0000000000000000000000000000000001';
  private hub!: Server;
  private cdn!: Server;

  constructor(public files: Record<string, ServedFile>) {}

  async start(): Promise<this> {
    this.hub = createServer((request, response) => this.answer('hub', request, response));
    this.cdn = createServer((request, response) => this.answer('cdn', request, response));
    for (const server of [this.hub, this.cdn])
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return this;
  }
  async stop(): Promise<void> {
    for (const server of [this.hub, this.cdn]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }
  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`;
  }
  private get cdnUrl(): string {
    return `http://127.0.0.1:${(this.cdn.address() as AddressInfo).port}`;
  }

  private answer(at: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request;
    this.seen.push({ at, method, path: url, range: headers.range, authorization: headers.authorization });
    const name = url.split('/').at(-1)!.split('?')[0]!;
    const file = this.files[name];
    if (this.faults.busy) {
      this.faults.busy--;
      return void response.writeHead(503).end();
    }
    if (at === 'cdn' && this.faults.expired) {
      this.faults.expired--;
      return void response.writeHead(403).end();
    }
    if (at === 'cdn')
      return file ? this.send(request, response, file.bytes) : void response.writeHead(404).end();

    const token = headers.authorization?.replace('Bearer ', '');
    const { tokens, notAccepted = [] } = this.faults;
    if (token && notAccepted.includes(token))
      return void response.writeHead(403, { 'x-error-code': 'GatedRepo' }).end();
    if (tokens && (!token || !tokens.includes(token))) {
      return void response.writeHead(401, token ? {} : { 'x-error-code': 'GatedRepo' }).end();
    }
    if (!file) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
    if (this.commit) response.setHeader('x-repo-commit', this.commit);
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    if (!file.large) {
      response.setHeader('etag', `"${sha256.slice(0, 40)}"`);
      return this.send(request, response, file.bytes);
    }
    response.setHeader('x-linked-etag', `"${sha256}"`);
    response.setHeader('x-linked-size', file.bytes.length);
    response
      .writeHead(302, { location: this.faults.redirectTo ?? `${this.cdnUrl}/blobs/${name}?signature=abc` })
      .end();
  }

  private send(request: IncomingMessage, response: ServerResponse, original: Uint8Array): void {
    const bytes = this.faults.corrupt?.(original) ?? original;
    const from = this.faults.ignoreRanges
      ? undefined
      : /^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1];
    const start = Number(from ?? 0);
    if (start >= bytes.length && start > 0) return void response.writeHead(416).end();
    const rest = bytes.subarray(start);
    const head = { 'content-length': rest.length };
    if (from === undefined) response.writeHead(200, head);
    else
      response.writeHead(206, {
        ...head,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
    if (request.method === 'HEAD') return void response.end();
    const { drop, hang } = this.faults;
    if (drop && drop.times > 0 && rest.length > drop.after) {
      drop.times--;
      response.write(rest.subarray(0, drop.after), () => setTimeout(() => response.destroy(), 5));
    } else if (hang && hang.times > 0 && rest.length > hang.after) {
      hang.times--;
      response.write(rest.subarray(0, hang.after));
    } else response.end(rest);
  }
}
