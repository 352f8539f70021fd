import { VoiceError } from './errors';

/**
 * Where to connect: the address as the sidecar prints it, a WebSocket address, or the page's own origin. A token
 * may stand in the address's fragment, as it does in the studio's.
 */
export function endpoint(
  options: { url?: string; token?: string },
  page: string | undefined,
): { url: string; token: string | undefined } {
  const given = options.url ?? page;
  if (given === undefined || !/^(https?|wss?):/.test(given)) {
    throw new VoiceError('unreachable', 'There is no sidecar address to connect to.', {
      hint: 'Pass url: the address that `npc-voice serve` prints.',
    });
  }
  const url = new URL(given);
  const token = options.token ?? new URLSearchParams(url.hash.slice(1)).get('token') ?? undefined;
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  url.search = '';
  if (options.url === undefined) url.pathname = '/';
  return { url: url.href, token };
}
