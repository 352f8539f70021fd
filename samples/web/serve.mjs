/**
 * Serves the tavern on this machine alone, and sees to it that a sidecar is running:
 *   node samples/web/serve.mjs [--port 7780] [--model understudy]
 */
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SidecarKeeper, SidecarProblem } from './sidecar.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
/** The first part of an address's path, and the folder it stands for. */
const FOLDERS = { tavern: path.join(here, 'tavern'), web: path.join(here, '..', '..', 'dist', 'web') };
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};
const HEADERS = {
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
};

const { values: options } = parseArgs({
  options: { port: { type: 'string', default: '7780' }, model: { type: 'string' } },
});

const server = createServer((request, response) => {
  const send = (status, type, body) =>
    response.writeHead(status, { ...HEADERS, 'content-type': type }).end(body);
  // Under any other name this would be a page that made its own name resolve to this machine.
  if (request.headers.host !== new URL(origin).host)
    return send(403, 'text/plain', `Open the tavern at ${origin}\n`);
  const [pathname] = request.url.split('?', 1);
  if (request.method === 'POST' && pathname === '/sidecar') return tellSidecar(request, send);
  return sendFile(pathname === '/' ? '/tavern/index.html' : pathname, send);
});

/** The sidecar's address and token, for this page alone: browsers say truthfully who sends a POST. */
async function tellSidecar(request, send) {
  if (request.headers.origin !== origin)
    return send(403, 'text/plain', 'This is for the page of the tavern.\n');
  try {
    send(200, 'application/json', JSON.stringify(await sidecar.ensure()));
  } catch (error) {
    if (!(error instanceof SidecarProblem)) console.error(error);
    const { message, hint } = error;
    send(503, 'application/json', JSON.stringify({ message, hint }));
  }
}

async function sendFile(pathname, send) {
  const [, folder, ...rest] = path.posix.normalize(pathname).split('/');
  try {
    if (!/^[\w./-]+$/.test(pathname)) throw new Error('not a name of ours');
    const body = await readFile(path.join(FOLDERS[folder], ...rest));
    send(200, TYPES[path.extname(pathname)] ?? 'application/octet-stream', body);
  } catch {
    const built = folder !== 'web' ? '' : ' Is it built? Run: npm run build';
    send(404, 'text/plain', `There is no ${pathname}.${built}\n`);
  }
}

server.on('error', (error) => {
  console.error(
    error.code === 'EADDRINUSE' ? `Port ${options.port} is taken: add --port with another.` : error.message,
  );
  process.exit(1);
});
await new Promise((resolve) => server.listen(Number(options.port), '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const sidecar = new SidecarKeeper(origin, options.model);
console.log(`The tavern is open: ${origin}`);
sidecar.ensure().catch(({ message, hint }) => console.error(`${message}\n${hint ?? ''}`));

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    sidecar.end();
    process.exit(0);
  });
