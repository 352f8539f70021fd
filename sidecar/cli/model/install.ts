/** `npc-voice model install`. */
import type { Command } from 'commander';
import { pc } from '../../colours';
import { createInterface } from 'node:readline';
import { NpcVoiceError } from '../../errors';
import type { CatalogueEntry, Installation } from '../../personaplex/install';
import { action } from '../failure';
import { Meter, timeText } from './meter';
import {
  chooseProvider,
  providerOption,
  rooms,
  say,
  summarise,
  threadsOption,
  tierOption,
  type ImportChoices,
} from './shared';

/** 128 + SIGINT. */
const EXIT_INTERRUPTED = 130;

interface InstallChoices extends ImportChoices {
  acceptLicence: boolean;
  keepDownload: boolean;
  force: boolean;
}

export function registerInstall(model: Command): void {
  model
    .command('install')
    .description(
      'Download a model from Hugging Face and import it; interrupted, it goes on where it stopped.',
    )
    .argument(
      '<name>',
      'personaplex (behind NVIDIA’s licence, needs HF_TOKEN), or moshiko (free to fetch; no persona)',
    )
    .addOption(tierOption())
    .addOption(providerOption())
    .option('--accept-licence', 'accept the model’s licence without being asked', false)
    .option('--keep-download', 'keep the checkpoint, to import it again in another tier', false)
    .option('--force', 'download and import it again even if it is here already', false)
    .addOption(threadsOption())
    .addHelpText(
      'after',
      '\nHF_TOKEN: your Hugging Face token, for models behind a licence. HF_ENDPOINT: another hub.',
    )
    .action(
      action(async (name: string, options: InstallChoices) => {
        const [{ modelsFolder }, { catalogueEntry, installModel }] = await Promise.all([
          rooms.store(),
          rooms.install(),
        ]);
        const meter = new Meter();
        const models = modelsFolder();
        const installation = await installModel({
          entry: catalogueEntry(name),
          models,
          tier: options.tier,
          place: () => chooseProvider(options.provider),
          ...(options.threads === undefined ? {} : { threads: options.threads }),
          hub: { endpoint: process.env.HF_ENDPOINT, token: process.env.HF_TOKEN },
          keepDownload: options.keepDownload,
          again: options.force,
          accept: (entry) => askForLicence(entry, options.acceptLicence),
          on: {
            outdated: () =>
              say(`The hub’s files of ${name} are not known to be those here; they are installed instead.`),
            download: (file, bytes, size) => meter.update(file, bytes, size),
            retrying: (why, waitMs) => {
              meter.end();
              process.stderr.write(
                `${pc.yellow('waiting')} ${why}; trying again in ${timeText(waitMs / 1000)}\n`,
              );
            },
            import: ({ written, total }) => meter.update('importing', written, total),
          },
        });
        meter.end();
        if (installation.wasHere) sayWhatIsHere(installation);
        else summarise(installation.manifest);
      }),
    );
}

function sayWhatIsHere({ manifest, notAsked }: Installation): void {
  const { id, tier, provider, source } = manifest;
  say(
    `${pc.green('ok')} ${pc.bold(id)} (${tier}, for ${provider}) is already installed: commit ${source.revision}`,
  );
  if (notAsked !== undefined)
    say(`  Whether there is a newer one is not known: ${notAsked.replace(/\.$/, '')}.`);
  say(`  --force installs it again.`);
  say(`Next: npc-voice model verify ${id}`);
}

async function askForLicence({ licence, name }: CatalogueEntry, acceptedByFlag: boolean): Promise<boolean> {
  say(pc.bold(`${name}: ${licence.name}`));
  for (const line of licence.summary) say(`  ${line}`);
  say(`  ${pc.underline(licence.url)}`);
  if (acceptedByFlag) return true;
  if (!(process.stdin.isTTY && process.stdout.isTTY))
    throw new NpcVoiceError(
      'unauthorized',
      `The ${licence.name} has to be accepted first, and there is nobody to ask.`,
      {
        hint: 'Read it, then run this again with --accept-licence.',
      },
    );
  return /^y(es)?$/i.test((await question('Do you accept this licence? [y/N] ')).trim());
}

/** A line from the terminal; empty at the end of input. Ctrl+C ends the process as a shell expects. */
async function question(text: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await new Promise<string>((resolve) => {
      lines.once('close', () => {
        say();
        resolve('');
      });
      lines.once('SIGINT', () => {
        lines.close();
        process.exit(EXIT_INTERRUPTED);
      });
      lines.question(text, (answer) => {
        lines.removeAllListeners('close');
        resolve(answer);
      });
    });
  } finally {
    lines.close();
  }
}
