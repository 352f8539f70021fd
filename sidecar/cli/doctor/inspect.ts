import os from 'node:os';
import { initOpus, opusCodecName, opusReport, type CodecReport } from '../../audio';
import { asNpcVoiceError } from '../../errors';
import { PersonaLibrary } from '../../personas';
import { version } from '../../paths';
import { findRunning, runtimeFile } from '../../server';
import { inspectModels } from './models';
import { inspectProviders } from './providers';
import type { Finding, Section } from './report';
import { inspectUnderstudy } from './understudy';

/** Looks at everything an NPC needs to talk. Never rejects: what fails is a finding. */
export async function inspect(folders: { personas: string; voices: string }): Promise<Section[]> {
  const [machine, cast, understudy, codec, providers, models] = await Promise.all([
    inspectMachine(),
    safely('personas', () => inspectCast(folders)),
    safely('understudy', inspectUnderstudy),
    safely('Opus', inspectOpus),
    safely('ONNX Runtime', inspectProviders),
    safely('models', inspectModels),
  ]);
  return [
    { title: 'This machine', findings: machine },
    { title: 'Cast', findings: cast },
    { title: 'Understudy', findings: understudy },
    { title: 'Codec', findings: codec },
    { title: 'Execution providers', findings: providers },
    { title: 'Neural models', findings: models },
  ];
}

async function safely(what: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (thrown) {
    const { message, hint } = asNpcVoiceError(thrown);
    return [{ what, state: 'bad', says: message, ...(hint === undefined ? {} : { todo: hint }) }];
  }
}

async function inspectMachine(): Promise<Finding[]> {
  const cpus = os.cpus();
  const running = await findRunning();
  return [
    { what: 'npc-voice', state: 'ok', says: version },
    nodeFinding(process.versions.node),
    {
      what: 'system',
      state: 'ok',
      says: `${process.platform} ${process.arch}, ${cpus.length} × ${cpus[0]?.model.trim() ?? 'CPU'}`,
    },
    {
      what: 'memory',
      state: 'ok',
      says: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB, ${(os.freemem() / 2 ** 30).toFixed(1)} GiB free`,
    },
    running
      ? { what: 'sidecar', state: 'ok', says: `running on port ${running.port}, process ${running.pid}` }
      : {
          what: 'sidecar',
          state: 'note',
          says: `not running (no live entry in ${runtimeFile()})`,
          todo: 'npc-voice serve',
        },
  ];
}

function nodeFinding(node: string): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  if (enough) return { what: 'Node.js', state: 'ok', says: node };
  return { what: 'Node.js', state: 'bad', says: node, todo: 'Install Node.js 20.19 or newer.' };
}

async function inspectCast({ personas, voices }: { personas: string; voices: string }): Promise<Finding[]> {
  const library = await PersonaLibrary.open({ personas, voices, watch: false });
  try {
    const list = library.list();
    return [
      list.length > 0
        ? { what: 'personas', state: 'ok', says: `${list.map(({ id }) => id).join(', ')} (${personas})` }
        : { what: 'personas', state: 'bad', says: `none in ${personas}`, todo: 'npc-voice init' },
      {
        what: 'voices',
        state: library.voices().length > 0 ? 'ok' : 'bad',
        says: `${library
          .voices()
          .map(({ id }) => id)
          .join(', ')}`,
      },
      ...library.rejections().map((rejection): Finding => ({
        what: `${rejection.persona}.yaml`,
        state: 'note',
        says: `${rejection.file}:${rejection.line}:${rejection.col}: ${rejection.msg}`,
        todo: rejection.hint ?? 'npc-voice persona lint',
      })),
    ];
  } finally {
    await library.close();
  }
}

async function inspectOpus(): Promise<Finding[]> {
  await initOpus();
  const { native, wasm } = opusReport();
  return [
    { what: 'PCM', state: 'ok', says: 'always; what engines on this machine use' },
    {
      what: 'Opus encoder',
      state: native.available || wasm.available ? 'ok' : 'note',
      says: opusCodecName(),
    },
    { what: 'WASM', state: wasm.available ? 'ok' : 'note', says: about(wasm) },
    native.available
      ? { what: 'native', state: 'ok', says: about(native) }
      : {
          what: 'native',
          state: 'note',
          says: about(native),
          todo: 'Optional: npm rebuild @discordjs/opus --ignore-scripts=false',
        },
  ];
}

const about = ({ available, version, why }: CodecReport): string =>
  available ? (version ?? 'works') : (why ?? 'does not work');
