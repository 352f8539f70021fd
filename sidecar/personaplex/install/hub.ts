/**
 * Speaks to the Hugging Face hub: what a file is, and its bytes from a position on. The user's token goes to the hub
 * itself and nowhere else: files lie behind redirects to a CDN, which must not see it.
 */
import { NpcVoiceError } from '../../errors';

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const MAX_REDIRECTS = 5;
/** A server that says nothing for so long is as good as gone, ms. */
const SILENCE_MS = 30_000;

export interface HubFile {
  name: string;
  /** Commit it was found at; later requests name it, so that all files are of one version. */
  commit: string | null;
  /** Changes when the file does. */
  etag: string;
  size: number;
  /** SHA-256 where the hub tells it: of every large file. */
  sha256: string | null;
}

/** A failure that may pass: the connection dropped, the server is busy. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
}

export interface HubOptions {
  /** Base URL; HF_ENDPOINT. */
  endpoint?: string | undefined;
  token?: string | undefined;
  /** Silence after which a connection is given up, ms. */
  silenceMs?: number;
}

export class Hub {
  private readonly base: URL;
  private readonly token: string | undefined;
  private readonly silenceMs: number;

  /**
   * @throws NpcVoiceError `bad_field` when the endpoint is not an http(s) URL, `unauthorized` when the token can be none.
   *   Neither is quoted where it may hold a secret.
   */
  constructor({ endpoint, token, silenceMs = SILENCE_MS }: HubOptions = {}) {
    try {
      this.base = new URL(endpoint?.trim() || DEFAULT_ENDPOINT);
    } catch {
      throw new NpcVoiceError('bad_field', 'HF_ENDPOINT is not a URL.');
    }
    this.token = token?.trim() || undefined;
    this.silenceMs = silenceMs;
    if (!isSafe(this.base))
      throw new NpcVoiceError('bad_field', `HF_ENDPOINT must be an https URL, not ${this.base.origin}.`, {
        hint: 'Your token would cross the network unprotected.',
      });
    if (this.base.username || this.base.password)
      throw new NpcVoiceError('bad_field', 'HF_ENDPOINT holds a user name or a password.', {
        hint: 'Leave them out: the hub knows you by HF_TOKEN.',
      });
    if (this.token !== undefined && !/^[\x21-\x7e]+$/.test(this.token))
      throw new NpcVoiceError('unauthorized', 'HF_TOKEN holds a character that no token has.', {
        hint: 'Copy it again: it is one line of letters, digits and underscores, beginning with hf_.',
      });
  }

  private url(repository: string, revision: string, name: string): URL {
    const path = `${repository}/resolve/${encodeURIComponent(revision)}/${name}`;
    return new URL(`${this.base.pathname.replace(/\/$/, '')}/${path}`, this.base);
  }

  /**
   * What the hub knows of a file.
   * @throws NpcVoiceError `unauthorized` when the token is missing or its owner has not accepted the licence
   * @throws TransientError when trying again may help
   */
  async describe(repository: string, revision: string, name: string): Promise<HubFile> {
    const { response, seen } = await this.request(repository, revision, name, 'HEAD', {});
    await response.body?.cancel();
    const header = (key: string): string | null =>
      seen.map((each) => each.get(key)).find((value) => value) ?? null;
    // The hub describes a large file in the redirect to it; a small one comes from the hub itself.
    const etag = (header('x-linked-etag') ?? header('etag') ?? '').replace(/^W\//, '').replaceAll('"', '');
    const size = Number(header('x-linked-size') ?? response.headers.get('content-length') ?? NaN);
    if (!etag || !Number.isSafeInteger(size) || size < 0)
      throw new NpcVoiceError('io', `The hub does not say how large ${name} is.`, {
        hint: 'Something between you and the hub changes its answers; try another network.',
      });
    return {
      name,
      commit: header('x-repo-commit'),
      etag,
      size,
      sha256: /^[0-9a-f]{64}$/.test(etag) ? etag : null,
    };
  }

  /**
   * The bytes of a file from `position` on, and where they really begin: 0 when the server ignores ranges.
   * @throws as describe
   */
  async read(
    repository: string,
    revision: string,
    name: string,
    position: number,
  ): Promise<{ start: number; bytes: AsyncIterable<Uint8Array> }> {
    const range: Record<string, string> = position > 0 ? { range: `bytes=${position}-` } : {};
    const { response, abort } = await this.request(repository, revision, name, 'GET', range);
    const start = response.status === 206 ? rangeStart(response, position) : 0;
    return { start, bytes: this.chunks(response, abort) };
  }

  /** Follows redirects by hand, for what is sent with them depends on where they lead. */
  private async request(
    repository: string,
    revision: string,
    name: string,
    method: 'GET' | 'HEAD',
    headers: Record<string, string>,
  ): Promise<{ response: Response; seen: Headers[]; abort: AbortController }> {
    let url = this.url(repository, revision, name);
    const seen: Headers[] = [];
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), this.silenceMs);
      let response: Response;
      try {
        response = await fetch(url, {
          method,
          redirect: 'manual',
          signal: abort.signal,
          headers: {
            ...headers,
            'accept-encoding': 'identity',
            'user-agent': 'npc-voice',
            ...(this.token && url.origin === this.base.origin
              ? { authorization: `Bearer ${this.token}` }
              : {}),
          },
        });
      } catch (cause) {
        throw new TransientError(`${url.host} could not be reached (${reasonOf(cause)})`, { cause });
      } finally {
        clearTimeout(timer);
      }
      seen.push(response.headers);
      // The redirect to a large file says all there is to say of it; its CDN may not answer HEAD at all.
      if (method === 'HEAD' && response.headers.has('x-linked-size') && response.headers.has('x-linked-etag'))
        return { response, seen, abort };
      const location = response.headers.get('location');
      if (response.status >= 300 && response.status < 400 && location) {
        await response.body?.cancel();
        url = new URL(location, url);
        if (!isSafe(url))
          throw new NpcVoiceError(
            'io',
            `The hub sends the download of ${name} to ${url.origin}, which is not secure.`,
          );
        continue;
      }
      if (response.ok) return { response, seen, abort };
      await response.body?.cancel();
      // A CDN knows nothing of licences and tokens: it refuses a link that has expired, and the hub gives a new one.
      if (url.origin !== this.base.origin && (response.status === 401 || response.status === 403))
        throw new TransientError(`${url.host} answered ${response.status}`);
      throw this.failure(response, repository, name);
    }
    throw new NpcVoiceError('io', `The hub sends the download of ${name} round in circles.`);
  }

  private failure({ status, headers }: Response, repository: string, name: string): Error {
    const page = `${this.base.origin}/${repository}`;
    const isGate = headers.get('x-error-code') === 'GatedRepo';
    if (status === 401 && !this.token)
      return new NpcVoiceError(
        'unauthorized',
        `${repository} is only given to who has accepted its licence, and HF_TOKEN is not set.`,
        {
          hint: `Accept the licence at ${page}, make a token with read access at ${this.base.origin}/settings/tokens, and set HF_TOKEN to it.`,
        },
      );
    if (status === 401 && !isGate)
      return new NpcVoiceError('unauthorized', 'The hub does not accept your HF_TOKEN.', {
        hint: `It may have expired: make a new one with read access at ${this.base.origin}/settings/tokens.`,
      });
    if (status === 401 || status === 403)
      return new NpcVoiceError('unauthorized', `The owner of your HF_TOKEN may not read ${repository} yet.`, {
        hint: `Accept the licence at ${page} with the account the token belongs to; a fine-grained token also needs “read access to gated repositories”.`,
      });
    if (status === 404)
      return new NpcVoiceError('io', `The hub has no file ${name} in ${repository}.`, {
        hint: `See ${page}.`,
      });
    if (status === 416) return new RangeError(`the hub has no bytes that far into ${name}`);
    if (status === 429 || status >= 500) return new TransientError(`the hub answered ${status}`);
    return new NpcVoiceError('io', `The hub answered ${status} for ${name}.`);
  }

  private async *chunks({ body }: Response, abort: AbortController): AsyncIterable<Uint8Array> {
    if (!body) return;
    let timer = setTimeout(() => abort.abort(), this.silenceMs);
    try {
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(timer);
        yield chunk;
        timer = setTimeout(() => abort.abort(), this.silenceMs);
      }
    } catch (cause) {
      throw new TransientError(`the connection was lost (${reasonOf(cause)})`, { cause });
    } finally {
      clearTimeout(timer);
      // Whoever stops reading early leaves no connection behind.
      abort.abort();
    }
  }
}

/** https anywhere; plain http on this machine only. */
const isSafe = (url: URL): boolean =>
  url.protocol === 'https:' ||
  (url.protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname));

function rangeStart(response: Response, position: number): number {
  const match = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  if (!match || Number(match[1]) !== position)
    throw new TransientError('the server sent another range than was asked for');
  return position;
}

function reasonOf(thrown: unknown): string {
  const error = thrown as Error & { cause?: { code?: string; message?: string } };
  if (error.name === 'AbortError') return 'no answer';
  return error.cause?.code ?? error.cause?.message ?? error.message;
}
