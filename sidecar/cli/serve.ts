/** `npc-voice serve`: runs the sidecar until it is told to end. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { pc } from '../colours';
import { isRunning } from '../is-running';
import { version } from '../paths';
import { PROTOCOL_VERSION } from '../wire/messages';
import { createDuplexModel, withDuplexModel } from './duplex-model';
import { action } from './failure';
import { castFolders, missingFolders, shortPath, withCastFolders } from './folders';

interface ServeOptions {
  personas?: string;
  voices?: string;
  port: number;
  host: string;
  allowOrigin: string[];
  token?: string;
  model: string;
  with?: number;
  logLevel: 'error' | 'warn' | 'info' | 'debug' | 'silent';
}

export function registerServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('Run the sidecar: games connect to it, and its studio opens in a browser.');
  withDuplexModel(withCastFolders(command))
    .option(
      '--port <number>',
      'port to listen at; where it is taken, one of the next twenty; 0: any',
      toPort,
      7766,
    )
    .option('--host <address>', 'address to listen at; any but loopback needs --token', '127.0.0.1')
    .option('--allow-origin <origin>', 'let pages of this origin connect (may be repeated)', collect, [])
    .option(
      '--token <token>',
      'what clients present, 16 to 128 characters (default: a new one at every start)',
    )
    .addOption(
      new Option('--log-level <level>', 'how much to tell')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .option('--with <pid>', 'end when this process does: the game or editor that started the sidecar', toPid)
    .addHelpText(
      'after',
      `
Clients find the sidecar by a runtime file only you can read, in $NPC_VOICE_RUNTIME_DIR or else a folder of
yours that the protocol page names. One sidecar serves all of your games; a second serve says where the first is.

Examples:
  $ npc-voice serve                                     the shipped cast, at http://127.0.0.1:7766
  $ npc-voice serve --personas game/npc-personas        your own cast; save a file and hear the change
  $ npc-voice serve --allow-origin http://localhost:5173    let a web game's dev server connect`,
    )
    .action(action(serve));
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}
function toPid(text: string): number {
  const pid = Number(text);
  if (!/^\d+$/.test(text) || pid < 1)
    throw new InvalidArgumentError('A process id is a whole number from 1.');
  return pid;
}
const collect = (origin: string, others: string[]): string[] => [...others, origin];

async function serve(o: ServeOptions): Promise<void> {
  const { checkExposure, createLog, findRunning, removeRuntimeFile, startServer, writeRuntimeFile } =
    await import('../server');
  checkExposure({ host: o.host, token: o.token, allowOrigins: o.allowOrigin });
  const dirs = castFolders(o);

  const running = await findRunning();
  if (running) {
    print(`NPC Voice ${running.version} is running already (process ${running.pid}).`);
    if (running.personas !== dirs.personas)
      print(
        `It serves the personas of ${running.personas}; end it first to serve those of ${dirs.personas}.`,
      );
    printStudio(`${running.url.replace(/^ws/, 'http')}#token=${running.token}`);
    return;
  }

  const log = createLog(o.logLevel);
  const [{ PersonaLibrary, personaFileSchema }, { Scene, SharedModel, realClock }, model] = await Promise.all(
    [
      import('../personas'),
      import('../scene'),
      createDuplexModel({ model: o.model, voices: dirs.voices, realtime: true }),
    ],
  );
  const library = await PersonaLibrary.open({ ...dirs, watch: true });
  const shared = new SharedModel(model);
  const server = await startServer({
    library,
    model: shared,
    createScene: (sink) => new Scene({ clock: realClock, model: shared, cast: library, sink }),
    personaSchema: () => JSON.stringify(personaFileSchema.json),
    host: o.host,
    port: o.port,
    allowOrigins: o.allowOrigin,
    token: o.token,
    log,
  });
  const info = {
    port: server.port,
    pid: process.pid,
    token: server.token,
    version,
    protocol: PROTOCOL_VERSION,
    url: server.url,
    startedAt: new Date().toISOString(),
    personas: dirs.personas,
  };

  const end = async (): Promise<void> => {
    // First, so that nobody finds a sidecar that is ending.
    await removeRuntimeFile(info);
    await Promise.allSettled([server.close(), library.close()]);
  };
  endOnSignal(end, (line) => log.info(line), o.with);
  try {
    await writeRuntimeFile(info);
    await server.ready;
  } catch (error) {
    await end();
    throw error;
  }

  for (const missing of missingFolders(dirs)) log.warn(`${missing} Its files are taken up when it comes.`);
  for (const { file, line, col, msg, hint } of library.rejections())
    log.warn(`${shortPath(file)}:${line}:${col}: ${msg}${hint === undefined ? '' : ` ${hint}`}`);
  print(`NPC Voice ${version}, duplex model ${model.info.name}: ${model.info.about}`);
  print(
    `${library.list().length} personas in ${shortPath(dirs.personas)}, ${library.voices().length} voices in ${shortPath(dirs.voices)}`,
  );
  if (o.port !== 0 && server.port !== o.port)
    print(pc.yellow(`Port ${o.port} is taken, so this sidecar is at port ${server.port}.`));
  printStudio(server.studioUrl);
}

/** How often to look whether the process it ends with is still there, ms. */
const LOOK_MS = 1000;

/** A clean end within three seconds whatever happens; a second signal does not wait. `pid` ended counts as one. */
function endOnSignal(end: () => Promise<void>, tell: (line: string) => void, pid?: number): void {
  let ending = false;
  const onSignal = (why: string): void => {
    if (ending) process.exit(1);
    ending = true;
    tell(`${why}: ending`);
    setTimeout(() => process.exit(0), 2500).unref();
    void end().finally(() => process.exit(0));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  if (pid === undefined) return;
  const look = setInterval(() => {
    if (isRunning(pid)) return;
    clearInterval(look);
    if (!ending) onSignal(`process ${pid} is gone`);
  }, LOOK_MS);
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const printStudio = (url: string): void => print(`\nOpen the studio:  ${pc.bold(pc.cyan(url))}`);
