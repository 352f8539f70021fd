/** `npc-voice model import` and `model synthesize`: models from checkpoints that are here already. */
import { Option, type Command } from 'commander';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { pc } from '../../colours';
import { NpcVoiceError } from '../../errors';
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
  wholeNumber,
  type ImportChoices,
} from './shared';

/** What a model of random weights says it came from. */
const RANDOM = 'random weights';

export function registerImport(model: Command): void {
  model
    .command('import')
    .description('Import a checkpoint from a folder: model.safetensors, the codec, the tokenizer, voices.')
    .argument('<folder>', 'folder with the files under their published names')
    .option('--id <id>', 'what the model is called here', 'personaplex')
    .option('--force', 'replace a model of that name that came from elsewhere', false)
    .addOption(tierOption())
    .addOption(providerOption())
    .addOption(threadsOption())
    .action(
      action(async (given: string, options: ImportChoices & { id: string; force: boolean }) => {
        const [{ modelsFolder }, { findCheckpoint, importModel }] = await Promise.all([
          rooms.store(),
          rooms.import(),
        ]);
        const folder = path.resolve(given);
        await refuseToReplace(options, modelsFolder(), (from) => from === folder);
        const meter = new Meter();
        const began = performance.now();
        const manifest = await importModel({
          files: findCheckpoint(folder),
          models: modelsFolder(),
          id: options.id,
          name: options.id,
          tier: options.tier,
          ...(await chooseProvider(options.provider)),
          origin: { from: folder },
          ...(options.threads === undefined ? {} : { threads: options.threads }),
          progress: ({ written, total }) => meter.update('importing', written, total),
        });
        meter.end();
        summarise(manifest);
        say(`It took ${timeText((performance.now() - began) / 1000)}.`);
      }),
    );
}

export function registerSynthesise(model: Command): void {
  model
    .command('synthesize')
    .alias('synthesise')
    .description(
      'Make a checkpoint of random weights with real names and shapes, and import it: for benches, not for talking.',
    )
    .requiredOption(
      '--layers <n>',
      'temporal layers, 1 to 32; 32 is the full size',
      wholeNumber('--layers', 1, 32),
    )
    .addOption(tierOption())
    .addOption(providerOption())
    .addOption(threadsOption())
    .option('--id <id>', 'what the model is called here (default: synthetic-<layers>-<tier>)')
    .addOption(
      new Option('--steps <n>', 'depth steps in the checkpoint: 16 is PersonaPlex, with voices; 8 is Moshi')
        .choices(['8', '16'])
        .default('16'),
    )
    .option('--seed <n>', 'seed of the weights', wholeNumber('--seed', 0, 2 ** 31), 1)
    .option('--force', 'replace a model of that name that is none of random weights', false)
    .option('--checkpoint <folder>', 'write the checkpoint there and do not import it')
    .action(
      action(
        async (
          options: ImportChoices & {
            layers: number;
            id?: string;
            steps: '8' | '16';
            seed: number;
            checkpoint?: string;
            force: boolean;
          },
        ) => {
          const [{ modelsFolder }, made] = await Promise.all([rooms.store(), rooms.import()]);
          const {
            beginFolder,
            checkSpace,
            diskFailure,
            findCheckpoint,
            importModel,
            MIMI,
            PERSONAPLEX,
            syntheticBytes,
            synthesiseCheckpoint,
          } = made;
          const models = modelsFolder();
          const id = options.id ?? `synthetic-${options.layers}-${options.tier}`;
          await refuseToReplace({ ...options, id }, models, (from) => from.startsWith(RANDOM));
          const lm = { ...PERSONAPLEX, layers: options.layers, depthStepsStored: Number(options.steps) };
          const meter = new Meter();
          const synthesise = async (folder: string): Promise<void> => {
            await checkSpace(folder, syntheticBytes(lm, MIMI));
            synthesiseCheckpoint(folder, {
              lm,
              mimi: MIMI,
              seed: options.seed,
              progress: (done, total) => meter.update('synthesising', 2 * done, 2 * total),
            });
            meter.end();
          };
          if (options.checkpoint) {
            const { checkpoint } = options;
            try {
              mkdirSync(checkpoint, { recursive: true });
              await synthesise(checkpoint);
            } catch (error) {
              throw diskFailure(error, checkpoint);
            }
            say(`${pc.green('written')} ${checkpoint}`);
            say(`Next: npc-voice model import ${checkpoint} --id ${id}`);
            return;
          }
          const folder = beginFolder(models, 'checkpoint', id);
          try {
            await synthesise(folder.at);
            const manifest = await importModel({
              files: findCheckpoint(folder.at),
              models,
              id,
              name: `Random weights, ${options.layers} layers`,
              tier: options.tier,
              ...(await chooseProvider(options.provider)),
              origin: { from: `${RANDOM}, seed ${options.seed}` },
              ...(options.threads === undefined ? {} : { threads: options.threads }),
              progress: ({ written, total }) => meter.update('importing', written, total),
            });
            meter.end();
            summarise(manifest);
          } catch (error) {
            throw diskFailure(error, models);
          } finally {
            folder.end();
          }
        },
      ),
    );
}

/**
 * A model may have cost a download of 17 GB; only one that can be made again from the same is replaced unasked, or one
 * that cannot be used.
 * @param isSame whether what a model there is came from is what the new one comes from
 * @throws NpcVoiceError `conflict`
 */
async function refuseToReplace(
  { id, force }: { id: string; force: boolean },
  models: string,
  isSame: (from: string) => boolean,
): Promise<void> {
  const [{ openModel }, { requireModelId }] = await Promise.all([rooms.store(), rooms.import()]);
  requireModelId(id);
  if (force || !existsSync(path.join(models, id))) return;
  let from: string;
  try {
    from = openModel(id, models).manifest.source.from;
  } catch {
    return;
  }
  if (!isSame(from))
    throw new NpcVoiceError('conflict', `There is a model ${id} already, from ${from}.`, {
      hint: 'Give the new one another name with --id, or replace that one with --force.',
    });
}
