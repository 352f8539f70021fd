/** The sidecar's server: one port for the studio, health, metrics and the wire. */
import { randomBytes } from 'node:crypto';
import { initOpus } from '../audio';
import type { DuplexModel } from '../duplex';
import { asNpcVoiceError, NpcVoiceError } from '../errors';
import { distFile, version } from '../paths';
import { CLOSE, PROTOCOL_VERSION } from '../wire';
import { Connection, type Services } from './connection';
import { checkExposure, createGate, inUrl, isLoopback, newToken } from './gate';
import { createHttpHandler } from './http';
import { DEFAULT_LIMITS, type ServerLimits } from './limits';
import { answerWith, listen } from './listen';
import { createLog, type Log } from './log';
import { Metrics } from './metrics';
import type { PersonaLibrary } from '../personas';
import { tellPersonas } from './personas';
import type { CreateScene } from './session';
import { acceptUpgrades } from './upgrade';
import { WatchHub } from './watch';

export interface ServerOptions {
  library: PersonaLibrary;
  /** Started and stopped by the server. */
  model: DuplexModel;
  createScene: CreateScene;
  /** JSON Schema of persona files, as text. */
  personaSchema: () => Promise<string> | string;
  /** Default 127.0.0.1, with ::1 besides. Anything but loopback needs `token`. */
  host?: string;
  /** Default 7766; the next free one where it is taken. 0: any. */
  port?: number;
  /** Origins of pages that may connect, besides the sidecar's own: `http://localhost:5173`. */
  allowOrigins?: readonly string[];
  /** Default: a fresh one. */
  token?: string;
  limits?: Partial<ServerLimits>;
  log?: Log;
  /** Folders of the built studio and web client. */
  studio?: string;
  web?: string;
}

export interface RunningServer {
  port: number;
  token: string;
  /** `ws://127.0.0.1:7766/` */
  url: string;
  /** With the token in the fragment, which browsers do not send. */
  studioUrl: string;
  /** Resolves when the duplex model has started; rejects with NpcVoiceError `model_unavailable`. */
  ready: Promise<void>;
  /** Takes no more connections, says goodbye to those there are, ends their scenes and the model. Idempotent. */
  close(): Promise<void>;
}

export const DEFAULT_PORT = 7766;

/** @throws NpcVoiceError `io` (no port), `unauthorized` (open to others without a token) or `bad_field` */
export async function startServer(o: ServerOptions): Promise<RunningServer> {
  const host = o.host ?? '127.0.0.1';
  const allowOrigins = o.allowOrigins ?? [];
  checkExposure({ host, token: o.token, allowOrigins });
  const token = o.token ?? newToken();
  const limits = { ...DEFAULT_LIMITS, ...o.limits };
  const log = o.log ?? createLog('info');

  const [{ servers, port }] = await Promise.all([listen(host, o.port ?? DEFAULT_PORT), initOpus()]);
  const gate = createGate({ host, port, token, allowOrigins });
  const connections = new Set<Connection>();
  const sessions = () => [...connections].flatMap(({ session }) => session ?? []);
  const metrics = new Metrics(() => ({
    connections: connections.size,
    npcs: sessions().reduce((sum, { scene }) => sum + scene.npcs().length, 0),
    mics: sessions().reduce((sum, { scene }) => sum + scene.mics().length, 0),
  }));

  let notReady: string | undefined = 'The duplex model is starting.';
  const ready = o.model.start().then(
    () => {
      notReady = undefined;
    },
    (thrown: unknown) => {
      const { code, message, hint } = asNpcVoiceError(thrown);
      notReady = message;
      log.error(`the duplex model did not start: ${message}`);
      throw new NpcVoiceError(code === 'internal' ? 'model_unavailable' : code, message, {
        hint,
        cause: thrown,
      });
    },
  );
  // Whoever attaches hears of it; the server itself goes on serving the studio.
  ready.catch(() => undefined);

  const services: Services = {
    version,
    library: o.library,
    model: {
      // Asked anew each time: what a machine sustains is measured at the start.
      get info() {
        return o.model.info;
      },
      ready,
      isReady: () => notReady === undefined,
    },
    createScene: o.createScene,
    newSessionId: () => `scene-${randomBytes(6).toString('hex')}`,
    isToken: gate.isToken,
    hub: new WatchHub(),
    metrics,
    limits,
    log,
  };
  answerWith(
    servers,
    createHttpHandler({
      gate,
      metrics,
      log,
      health: { version, protocol: PROTOCOL_VERSION, notReady: () => notReady },
      studio: o.studio ?? distFile('studio'),
      web: o.web ?? distFile('web'),
      personaSchema: o.personaSchema,
    }),
  );
  let idle: () => void = () => undefined;
  const sockets = acceptUpgrades(servers, {
    gate,
    metrics,
    log,
    connections: limits.connections,
    open: () => connections.size,
    accept(socket, authorised) {
      const connection: Connection = new Connection(socket, services, authorised, () => {
        connections.delete(connection);
        if (connections.size === 0) idle();
      });
      connections.add(connection);
    },
  });

  const deafen = tellPersonas(o.library, sessions, metrics, log);
  const everySecond = setInterval(() => {
    const loopP99 = metrics.sampleLoop();
    for (const session of sessions()) session.everySecond(loopP99);
  }, 1000);

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(everySecond);
    deafen();
    const closed = Promise.all(servers.map((s) => new Promise<void>((resolve) => s.close(() => resolve()))));
    sockets.close();
    if (connections.size > 0) {
      const gone = new Promise<void>((resolve) => (idle = resolve));
      for (const connection of connections) connection.close(CLOSE.goingAway, 'the sidecar is ending');
      await gone;
    }
    for (const server of servers) server.closeAllConnections();
    await closed;
    await o.model.stop();
    metrics.close();
  };
  const shown = isLoopback(host) || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : inUrl(host);
  return {
    port,
    token,
    url: `ws://${shown}:${port}/`,
    studioUrl: `http://${shown}:${port}/#token=${token}`,
    ready,
    close: () => (closing ??= close()),
  };
}
