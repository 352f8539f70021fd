/** `npc-voice serve` as a process: found, found again, survived, and ended without a trace. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { distFile, version } from '../../sidecar/paths';
import { runtimeFile, type RuntimeInfo } from '../../sidecar/server';
import { httpRequest, TestClient } from './support';

interface Serve {
  child: ChildProcess;
  /** Resolves with all it printed, once it has printed the studio's address or ended. */
  said: Promise<string>;
  ended: Promise<{ code: number | null; out: string; err: string }>;
}
const running = new Set<ChildProcess>();
let dir: string;

beforeEach(async () => {
  dir = path.join(await mkdtemp(path.join(os.tmpdir(), 'npc-voice-test-')), 'runtime');
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  await rm(path.dirname(dir), { recursive: true, force: true });
});

function serve(...args: string[]): Serve {
  const child = spawn(process.execPath, [distFile('npc-voice.js'), 'serve', '--port', '0', ...args], {
    env: { ...process.env, NPC_VOICE_RUNTIME_DIR: dir, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let [out, err] = ['', ''];
  child.stderr!.on('data', (chunk) => (err += chunk));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code, out, err });
    }),
  );
  const said = new Promise<string>((resolve) => {
    child.stdout!.on('data', (chunk) => {
      out += chunk;
      if (/studio: .*\n/.test(out)) resolve(out);
    });
    void ended.then(() => resolve(out));
  });
  return { child, said, ended };
}
const info = async (): Promise<RuntimeInfo> =>
  JSON.parse(await readFile(runtimeFile(dir), 'utf8')) as RuntimeInfo;
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('npc-voice serve', () => {
  it('is found by its file, talks, and at SIGTERM leaves no process, no file and no open port', async () => {
    const { child, said, ended } = serve();
    const out = await said;
    const found = await info();
    expect(found).toMatchObject({
      pid: child.pid,
      version,
      protocol: 1,
      url: `ws://127.0.0.1:${found.port}/`,
    });
    expect(Date.parse(found.startedAt)).not.toBeNaN();
    expect(out.trimEnd().split('\n').at(-1)).toBe(
      `Open the studio:  http://127.0.0.1:${found.port}/#token=${found.token}`,
    );
    if (process.platform !== 'win32') {
      expect((await stat(dir)).mode & 0o777).toBe(0o700);
      expect((await stat(runtimeFile(dir))).mode & 0o777).toBe(0o600);
    }
    expect(JSON.parse((await httpRequest(found, { path: '/readyz' })).body)).toEqual({ status: 'ready' });

    const client = await TestClient.open(found, { token: found.token });
    await client.ask({ t: 'identify', v: 1, client: 'test' });
    expect((await client.ask({ t: 'attach', npc: 'aldric' })).t).toBe('ok');
    await client.take('frame');

    child.kill('SIGTERM');
    const { code, err } = await ended;
    expect(code).toBe(0);
    expect(err).toContain('SIGTERM: ending');
    expect((await client.closed).code).toBe(1001);
    expect(isAlive(found.pid)).toBe(false);
    expect(existsSync(runtimeFile(dir))).toBe(false);
    await expect(httpRequest(found)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('says where the first one is when it is started twice, and ends', async () => {
    const first = serve();
    await first.said;
    const { port, token, pid } = await info();
    const { code, out } = await serve('--personas', dir).ended;
    expect(code).toBe(0);
    expect(out).toContain(`NPC Voice ${version} is running already (process ${pid}).`);
    expect(out).toContain(`end it first to serve those of ${dir}`);
    expect(out).toContain(`http://127.0.0.1:${port}/#token=${token}`);
    expect(await info()).toMatchObject({ pid, token });
    first.child.kill('SIGINT');
    expect((await first.ended).code).toBe(0);
  });

  it('survives a stale file: nobody there, somebody else there, or rubbish', async () => {
    const stranger = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const { port } = stranger.address() as { port: number };
    const stale = (at: number, pid: number) =>
      JSON.stringify({
        port: at,
        pid,
        token: 'x',
        version,
        protocol: 1,
        url: `ws://127.0.0.1:${at}/`,
        startedAt: '',
        personas: '',
      });
    await mkdir(dir, { recursive: true, mode: 0o755 });
    for (const file of [stale(1, 999_999), stale(port, process.pid), '{"port": 77', '[]']) {
      await writeFile(runtimeFile(dir), file, { mode: 0o644 });
      const { child, said, ended } = serve();
      expect(await said, file).toContain('Open the studio');
      expect((await info()).pid, file).toBe(child.pid);
      if (process.platform !== 'win32') expect((await stat(runtimeFile(dir))).mode & 0o777).toBe(0o600);
      child.kill('SIGTERM');
      await ended;
    }
    stranger.close();
  });

  it('ends with the game that started it, however that ended', async () => {
    const game = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    running.add(game);
    const { said, ended, child } = serve('--with', String(game.pid));
    await said;
    game.kill('SIGKILL');
    const { code, err } = await ended;
    expect(code).toBe(0);
    expect(err).toContain(`process ${game.pid} is gone: ending`);
    expect(isAlive(child.pid!)).toBe(false);
    expect(existsSync(runtimeFile(dir))).toBe(false);
  });

  it('takes the next free port where the one asked for is taken, and says so', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    const { child, said, ended } = serve('--port', String(port));
    const out = await said;
    const found = await info();
    expect(found.port).toBeGreaterThan(port);
    expect(found.port).toBeLessThanOrEqual(port + 20);
    expect(out).toContain(`Port ${port} is taken, so this sidecar is at port ${found.port}.`);
    child.kill('SIGTERM');
    await ended;
    holder.close();
  });

  it('refuses to be open to other machines without a token, and options that make no sense', async () => {
    const open = await serve('--host', '0.0.0.0').ended;
    expect(open.code).toBe(1);
    expect(open.err).toContain('needs a token');
    expect(open.err).toContain('--token');
    expect((await serve('--allow-origin', '*').ended).err).toContain('--allow-origin takes an origin');
    expect((await serve('--port', '70000').ended).err).toContain('A port is 0 to 65535.');
    expect(existsSync(dir)).toBe(false);
  });

  it('explains every option', async () => {
    const { out } = await serve('--help').ended;
    for (const option of [
      '--personas',
      '--voices',
      '--port',
      '--host',
      '--allow-origin',
      '--token',
      '--model',
      '--log-level',
      '--with',
    ])
      expect(out).toContain(option);
  });
});
