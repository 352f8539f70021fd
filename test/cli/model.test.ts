import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Meter, timeText } from '../../sidecar/cli/model/meter';
import { distFile } from '../../sidecar/paths';
import { HubServer } from '../personaplex/install/hub-server';
import { PERSONAPLEX, synthesiseCheckpoint } from '../../sidecar/personaplex/import';
import { SMALL_LM, SMALL_MIMI, smallCheckpoint, temporaryFolder } from '../personaplex/import/build';

/** SwiftShader, where Debian's chromium brings it. */
const SOFTWARE_GPU = '/usr/lib/chromium/vk_swiftshader_icd.json';

const cli = distFile('npc-voice.js');
let checkpoint: string;
let models: string;
beforeAll(() => smallCheckpoint((checkpoint = temporaryFolder())));
beforeEach(() => void (models = temporaryFolder()));
afterEach(() => rmSync(models, { recursive: true }));
afterAll(() => rmSync(checkpoint, { recursive: true }));

interface Ended {
  code: number;
  out: string;
  err: string;
}
const model = (...args: string[]): Promise<Ended> => npcVoice('model', ...args);
async function npcVoice(...args: string[]): Promise<Ended> {
  const env = {
    ...process.env,
    NPC_VOICE_MODELS: models,
    NPC_VOICE_RUNTIME_DIR: path.join(models, '.run'),
    HF_TOKEN: '',
    FORCE_COLOR: undefined,
  };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [cli, ...args], { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}
const importSmall = (...more: string[]): Promise<Ended> =>
  model('import', checkpoint, '--id', 'small', '--provider', 'cpu', '--threads', '2', ...more);

describe('npc-voice model', () => {
  it('imports, lists, verifies and removes, without colours where there is no terminal', async () => {
    const imported = await importSmall('--tier', 'q8');
    expect(imported.err).toMatch(/importing 100%/);
    expect(imported.out).toMatch(/^ready small: .* q8, for cpu\n  weights: cosine 0\.9999\d on average/);
    expect(imported.out).toMatch(/Next: npc-voice model verify small/);
    expect((await model('list')).out).toMatch(
      /^.*\n {2}small +q8 +cpu .* from .*\n {2}personaplex +not installed/,
    );
    const verified = await model('verify', 'small');
    expect(verified.out).toMatch(
      /^ok 27 files, .*: as they were imported\n.*another model, so its answers are not checked/,
    );
    expect((await model('remove', 'small')).out).toBe('removed small\n');
    expect(readdirSync(models)).toEqual([]);
    for (const { out, err } of [imported, verified]) expect(out + err).not.toContain('\u001b');
  });

  it('says of a model with a file missing the same wherever it is used', async () => {
    await importSmall();
    const file = path.join(models, 'small', 'mimi-decoder.onnx.data');
    rmSync(file);
    expect((await model('list')).out).toContain(`\n  small            unusable ${file} is missing.\n`);
    const cast = ['--model', 'small', '--persona', 'aldric', '--seconds', '1'];
    const told = [await model('verify', 'small'), await model('bench', 'small'), await npcVoice('talk', ...cast), await npcVoice('serve', '--model', 'small', '--port', '0')];
    for (const { code, err } of told) {
      expect(code).toBe(1);
      // `serve` has it in its log, too.
      expect(err.replace(/^\d.*\n/, '')).toBe(`error ${file} is missing. (model_invalid)\n      Import the model small again.\n`);
    }
  }); // prettier-ignore

  it('replaces a model only by one from the same place, unless told to', async () => {
    await importSmall();
    const other = temporaryFolder();
    cpSync(checkpoint, other, { recursive: true });
    mkdirSync(path.join(models, '.downloads', 'small'), { recursive: true });
    const told = `error There is a model small already, from ${checkpoint}. (conflict)\n      Give the new one another name with --id, or replace that one with --force.\n`;
    const from = ['import', other, '--id', 'small', '--provider', 'cpu', '--threads', '0'];
    expect(await model(...from)).toMatchObject({ code: 1, err: told });
    expect(await model('synthesize', '--layers', '1', '--id', 'small')).toMatchObject({ code: 1, err: told });
    expect(readdirSync(models).sort()).toEqual(['.downloads', 'small']);
    expect((await importSmall()).code).toBe(0);
    expect((await model(...from, '--force')).code).toBe(0);
    expect((await model('list')).out).toContain(`from ${other}`);
    rmSync(other, { recursive: true });
  }); // prettier-ignore

  it('removes what was downloaded for a model, with it or without it', async () => {
    const download = path.join(models, '.downloads', 'small');
    mkdirSync(download, { recursive: true });
    await importSmall();
    expect((await model('remove', 'small')).out).toBe('removed small\n');
    expect([existsSync(download), readdirSync(models)]).toEqual([false, ['.downloads']]);
    mkdirSync(download);
    expect((await model('remove', 'small')).out).toBe('removed small\n');
    expect((await model('remove', 'small')).err).toMatch(/^error There is no model small/);
  });

  it('talks with a model wherever it lies, whatever its folder is called', async () => {
    const { code } = await importSmall('--tier', 'f32');
    const folder = path.join(models, 'My Model');
    renameSync(path.join(models, 'small'), folder);
    const talk = await npcVoice('talk', '--model', folder, '--persona', 'aldric', '--seconds', '0.4');
    expect([code, talk.err]).toEqual([0, expect.not.stringContaining('There is no model')]);
  });

  it('says so where the folder of models is a file', async () => {
    const folder = models;
    models = path.join(folder, 'file');
    writeFileSync(models, '');
    try {
      expect((await model('list')).err).toBe(`error ${models} should be the folder of models, and is a file. (io)\n      Set NPC_VOICE_MODELS to a folder.\n`);
      const cannot = `error The folder of models ${models} cannot be made: EEXIST. (io)\n      Set NPC_VOICE_MODELS to a folder you may write to.\n`;
      expect((await importSmall()).err).toBe(cannot);
      expect((await model('install', 'moshiko', '--accept-licence', '--provider', 'cpu')).err).toBe(cannot);
    } finally {
      models = folder;
    }
  }); // prettier-ignore

  it('ends with code 1 and says what to do when it cannot', async () => {
    const refused = await model('install', 'personaplex');
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/^error PersonaPlex 7B is only given .* HF_TOKEN is not set\. \(unauthorized\)\n +Accept it at https/);
    expect((await model('verify')).err).toMatch(/There is no model personaplex .*\n +Run `npc-voice model install personaplex`/);
    expect((await model('import', '/nowhere')).err).toMatch(/^error There is no folder \/nowhere\. \(io\)\n +Give the folder/);
    expect((await model('synthesize', '--layers', '99')).err).toMatch(/--layers takes a whole number from 1 to 32/);
    expect((await model('import', checkpoint, '--tier', 'q5')).err).toMatch(/Allowed choices are/);
  }); // prettier-ignore

  it('looks for a GPU without a word of the driver’s on standard error', async () => {
    const own = (line: string): boolean => /^importing +\d+%/.test(line);
    const { code, out, err } = await model('import', checkpoint, '--id', 'small', '--threads', '0');
    expect([code, err.trim().split('\n').filter((line) => !own(line))]).toEqual([0, []]);
    expect(out).toMatch(/^The model will run on the (GPU \(WebGPU\)|CPU: WebGPU \S.*[^.]\. Expect less)/);
    vi.stubEnv('VK_ICD_FILENAMES', '/nowhere.json');
    const refused = await model('import', checkpoint, '--id', 'small', '--provider', 'webgpu');
    vi.unstubAllEnvs();
    if (process.platform !== 'linux') return;
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(refused.err).toMatch(/^error The model cannot run on a GPU here: WebGPU finds no GPU\. \(model_unavailable\)\n +Check the graphics driver .*\n$/);
  }); // prettier-ignore

  it.runIf(existsSync(SOFTWARE_GPU))('takes a GPU where there is one', async () => {
    vi.stubEnv('VK_ICD_FILENAMES', SOFTWARE_GPU);
    const { code, out, err } = await model('import', checkpoint, '--id', 'small', '--threads', '0');
    vi.unstubAllEnvs();
    expect([code, err.replace(/^importing.*\n/gm, '')]).toEqual([0, '']);
    expect(out).toMatch(/^The model will run on the GPU \(WebGPU\)/);
    expect(out).toContain('for webgpu\n');
  }); // prettier-ignore

  it('gives a synthesised model every voice that the shipped personas ask for', async () => {
    const made = temporaryFolder();
    synthesiseCheckpoint(made, { lm: { ...SMALL_LM, context: PERSONAPLEX.context }, mimi: SMALL_MIMI, seed: 1 });
    const imported = await model('import', made, '--id', 'made', '--provider', 'cpu', '--tier', 'f32', '--threads', '0');
    rmSync(made, { recursive: true });
    expect(imported.out).toContain('\n  voices: NATF0 NATF1 NATF2 NATF3 NATM0 NATM1 NATM2 NATM3 VARF0 VARF1 VARF2 VARF3 VARF4 VARM0 VARM1 VARM2 VARM3 VARM4\n');
    for (const persona of ['aldric', 'brenn', 'fitch', 'marta', 'orwin', 'pip'])
      expect(await npcVoice('talk', '--model', 'made', '--persona', persona, '--seconds', '0.4')).toMatchObject({ code: 0, err: '' });
    for (const { name } of readdirSync(path.join(models, 'made', 'voices'), { withFileTypes: true }))
      if (!/^NATF[01]/.test(name)) rmSync(path.join(models, 'made', 'voices', name));
    const missed = await npcVoice('talk', '--model', 'made', '--persona', 'aldric', '--seconds', '0.4');
    expect(missed.err).toMatch(/^error There is no voice prompt NATM1\.pt\. \(unknown_voice\)\n {6}There are NATF0, NATF1; or name a WAV recording of one voice, 4 to 10 s, in \S+voices\.\n$/);
  }, 120_000); // prettier-ignore

  it('refuses a name that leads out of the folder before it looks for a GPU, and removes nothing there', async () => {
    for (const args of [['import', checkpoint], ['synthesize', '--layers', '1']]) {
      const refused = await model(...args, '--id', '../evil');
      expect(refused.code).toBe(1);
      expect(refused.err).toMatch(/^error “\.\.\/evil” cannot name a model\. \(bad_field\)\n +Use up to 64 small letters/);
      expect(refused.out).toBe('');
    }
    expect((await model('remove', '..')).err).toMatch(/^error There is no model \.\. on this machine/);
    expect(existsSync(models)).toBe(true);
  }); // prettier-ignore

  it('explains every command', async () => {
    const commands = ['install', 'import', 'verify', 'list', 'remove', 'bench', 'synthesize'];
    const helps = await Promise.all(commands.map((command) => model(command, '--help')));
    helps.forEach(({ code, out }, i) => {
      expect(code).toBe(0);
      expect(out).toContain(`npc-voice model ${commands[i]}`);
    });
  });

  it('killed in the middle of an import leaves no half model, and works the next time', async () => {
    const child = spawn(process.execPath, [cli, 'model', 'import', checkpoint, '--id', 'small', '--provider', 'cpu', '--tier', 'f32'], {
      env: { ...process.env, NPC_VOICE_MODELS: models },
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (child.exitCode === null && !readdirSync(models).some((name) => name.startsWith('.import-'))) await new Promise((resolve) => setTimeout(resolve, 2));
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(path.join(models, 'small'))).toBe(false);
    expect((await model('list')).out).toMatch(/Next: npc-voice model install/);
    expect((await importSmall()).code).toBe(0);
    expect(readdirSync(models)).toEqual(['small']);
  }); // prettier-ignore
});

describe('npc-voice model install', () => {
  it('killed in the middle of a download goes on where it stopped, and ends with a model', async () => {
    const folder = temporaryFolder();
    smallCheckpoint(folder, 8);
    const names = ['model.safetensors', 'tokenizer-e351c8d8-checkpoint125.safetensors', 'tokenizer_spm_32k_3.model'];
    const hub = await new HubServer(
      Object.fromEntries(names.map((name) => [name, { bytes: new Uint8Array(readFileSync(path.join(folder, name))), large: true }])),
    ).start();
    hub.faults.hang = { after: 40_000, times: 1 };
    const args = [cli, 'model', 'install', 'moshiko', '--provider', 'cpu', '--tier', 'q8', '--accept-licence'];
    const env = { ...process.env, NPC_VOICE_MODELS: models, HF_ENDPOINT: hub.endpoint, HF_TOKEN: 'hf_mine' };
    try {
      const part = path.join(models, '.downloads', 'moshiko', 'model.safetensors.part');
      const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      while (child.exitCode === null && !(existsSync(part) && statSync(part).size === 40_000)) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill('SIGKILL');
      await ended;
      hub.seen.length = 0;

      const { stdout } = await promisify(execFile)(process.execPath, args, { env });
      expect(hub.seen.filter((each) => each.at === 'cdn').map((each) => each.range)[0]).toBe('bytes=40000-');
      expect(hub.seen.filter((each) => each.at === 'cdn').every((each) => each.authorization === undefined)).toBe(true);
      expect(stdout).toMatch(/ready moshiko: .*\n.*\n.*\n {2}Moshi speaks with one fixed voice/);
      hub.seen.length = 0;
      const again = await promisify(execFile)(process.execPath, args, { env });
      expect(again.stdout).toBe(
        `ok moshiko (q8, for cpu) is already installed: commit ${hub.commit}\n  --force installs it again.\nNext: npc-voice model verify moshiko\n`,
      );
      expect(hub.seen.map((each) => each.method)).toEqual(['HEAD']);
      const file = path.join(models, 'moshiko', 'depth.onnx.data');
      const bytes = readFileSync(file);
      bytes[100]! ^= 1;
      writeFileSync(file, bytes);
      expect((await model('verify', 'moshiko')).err).toContain(`error ${file} has changed since it was imported. (model_invalid)\n      Run \`npc-voice model install moshiko --tier q8 --provider cpu --force\`.\n`);
      const forced = await promisify(execFile)(process.execPath, [...args, '--force'], { env });
      expect(forced.stdout).toContain('ready moshiko: ');
      await hub.stop();
      const offline = await promisify(execFile)(process.execPath, args, { env });
      expect(offline.stdout).toMatch(/is already installed: .*\n {2}Whether there is a newer one is not known: 127\.0\.0\.1:\d+ could not be reached \(ECONNREFUSED\)\.\n/);
      // It was shown and accepted the first time, and is not shown again.
      expect(stdout).not.toContain('CC BY');
    } finally {
      await hub.stop();
      rmSync(folder, { recursive: true });
    }
  }); // prettier-ignore
});

/** util-linux's `script` gives a command a terminal of its own, and ends with its code. */
const hasTerminals = process.platform === 'linux' && existsSync('/usr/bin/script');
describe.runIf(hasTerminals)('the question after the licence, in a terminal', () => {
  let hub: HubServer;
  beforeAll(async () => void (hub = await new HubServer({}).start()));
  afterAll(() => hub.stop());
  const answer = (typed: string): Promise<{ code: number | null; shown: string }> =>
    new Promise((resolve, reject) => {
      const command = [process.execPath, cli, 'model', 'install', 'moshiko', '--provider', 'cpu'].join(' ');
      const terminal = spawn('/usr/bin/script', ['-qefc', command, '/dev/null'], {
        env: { ...process.env, NPC_VOICE_MODELS: models, HF_ENDPOINT: hub.endpoint, HF_TOKEN: '', NO_COLOR: '1', TERM: 'xterm' },
      });
      let shown = '';
      terminal.stdout.on('data', (data: Buffer) => {
        if (!shown.includes('[y/N] ') && (shown + data).includes('[y/N] ')) terminal.stdin.write(typed);
        shown += data;
      });
      terminal.on('error', reject);
      terminal.on('close', (code) => resolve({ code, shown: stripVTControlCharacters(shown).replaceAll('\r', '').split('[y/N] ')[1]! }));
    });
  const declined = 'error The CC BY 4.0 was not accepted; nothing was downloaded. (unauthorized)\n';

  it.each([
    ['no', 'n\r', 'n\n' + declined],
    ['Enter alone', '\r', '\n' + declined],
    ['Ctrl+D', '\u0004', '\n' + declined],
  ])('takes %s for no', async (_, typed, shown) => {
    expect(await answer(typed)).toEqual({ code: 1, shown });
    expect(existsSync(path.join(models, 'licences.json'))).toBe(false);
  });

  it('quits at Ctrl+C, and says nothing', async () => {
    const { code, shown } = await answer('\u0003');
    expect([code, shown.trim()]).toEqual([130, '']);
  });

  it('remembers a yes', async () => {
    const { code, shown } = await answer('y\r');
    expect([code, shown]).toEqual([1, expect.stringMatching(/^y\nerror The hub has no file model\.safetensors/)]);
    expect(readFileSync(path.join(models, 'licences.json'), 'utf8')).toContain('kyutai/moshiko-pytorch-bf16');
  });
}); // prettier-ignore

describe('the progress meter', () => {
  const run = (isTTY: boolean, seconds: number): string => {
    let text = '';
    let now = 0;
    const meter = new Meter({ isTTY, write: (part: string) => ((text += part), true) } as never, () => now);
    for (let s = 0; s <= seconds; s++, now += 1000)
      meter.update('model.safetensors', s * 50e6, seconds * 50e6);
    return text;
  };

  it('draws speed and time left in a terminal', () => {
    const frames = run(true, 100).split('\r\u001b[K').slice(1);
    expect(frames).toHaveLength(101);
    expect(frames[40]!.replace(/\u001b\[\d+m/g, '')).toBe(`model.safetensors ${'━'.repeat(24)} 40%  2.0 GB of 5.0 GB, 50 MB/s, 1 min 0 s left`);
    expect(frames[100]).toMatch(/100%  5\.0 GB of 5\.0 GB, 50 MB\/s\n$/);
  }); // prettier-ignore

  it('writes a line every ten seconds to a log', () => {
    const lines = run(false, 35).trim().split('\n');
    expect(lines.map((line) => /(\d+)%/.exec(line)![1])).toEqual(['0', '28', '57', '85', '100']);
  });

  it.each([true, false])('says once that a thing is done (in a terminal: %s)', (isTTY) => {
    let text = '';
    const meter = new Meter({ isTTY, write: (part: string) => ((text += part), true) } as never, () => 0);
    for (const done of [1, 2, 2]) meter.update('importing', done, 2);
    meter.update('checking files', 2, 2);
    expect(text.match(/100%/g)).toHaveLength(2);
  });

  it('says times as people do', () => {
    expect([0, 59.4, 160, 11_100].map(timeText)).toEqual(['0 s', '59 s', '2 min 40 s', '3 h 5 min']);
  });
});
