/** `npc-voice model import` and `model synthesize`: models from checkpoints that are here already. */
import { Option, type Command } from 'commander';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pc } from '../../colours';
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

export function registerImport(model: Command): void {
  model
    .command('import')
    .description('Import a checkpoint from a folder: model.safetensors, the codec, the tokenizer, voices.')
    .argument('<folder>', 'folder with the files under their published names')
    .option('--id <id>', 'what the model is called here', 'personaplex')
    .addOption(tierOption())
    .addOption(providerOption())
    .addOption(threadsOption())
    .action(
      action(async (folder: string, options: ImportChoices & { id: string }) => {
        const [{ modelsFolder }, { findCheckpoint, importModel, requireModelId }] = await Promise.all([
          rooms.store(),
          rooms.import(),
        ]);
        requireModelId(options.id);
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
          },
        ) => {
          const [{ modelsFolder }, { removeDownloads }, made] = await Promise.all([
            rooms.store(),
            rooms.install(),
            rooms.import(),
          ]);
          const {
            checkSpace,
            findCheckpoint,
            importModel,
            MIMI,
            PERSONAPLEX,
            requireModelId,
            syntheticBytes,
            synthesiseCheckpoint,
          } = made;
          const models = modelsFolder();
          const id = options.id ?? `synthetic-${options.layers}-${options.tier}`;
          requireModelId(id);
          const lm = { ...PERSONAPLEX, layers: options.layers, depthStepsStored: Number(options.steps) };
          const folder = options.checkpoint ?? path.join(models, '.downloads', id);
          mkdirSync(folder, { recursive: true });
          await checkSpace(folder, syntheticBytes(lm, MIMI));
          const meter = new Meter();
          synthesiseCheckpoint(folder, {
            lm,
            mimi: MIMI,
            seed: options.seed,
            progress: (done, total) => meter.update('synthesising', 2 * done, 2 * total),
          });
          meter.end();
          if (options.checkpoint) {
            say(`${pc.green('written')} ${folder}`);
            say(`Next: npc-voice model import ${folder} --id ${id}`);
            return;
          }
          try {
            const manifest = await importModel({
              files: findCheckpoint(folder),
              models,
              id,
              name: `Random weights, ${options.layers} layers`,
              tier: options.tier,
              ...(await chooseProvider(options.provider)),
              origin: { from: `random weights, seed ${options.seed}` },
              ...(options.threads === undefined ? {} : { threads: options.threads }),
              progress: ({ written, total }) => meter.update('importing', written, total),
            });
            meter.end();
            summarise(manifest);
          } finally {
            removeDownloads(models, id);
          }
        },
      ),
    );
}
