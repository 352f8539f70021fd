/** `npc-voice model list` and `model remove`. */
import type { Command } from 'commander';
import { bytesText } from '../../bytes-text';
import { pc } from '../../colours';
import { NpcVoiceError } from '../../errors';
import { action } from '../failure';
import { rooms, say } from './shared';

export function registerList(model: Command): void {
  model
    .command('list')
    .description('List the models on this machine, and those that can be installed.')
    .action(
      action(async () => {
        const [{ listModels, modelsFolder }, { CATALOGUE }] = await Promise.all([
          rooms.store(),
          rooms.install(),
        ]);
        const root = modelsFolder();
        const { models, broken } = listModels(root);
        say(pc.dim(root));
        for (const { manifest, bytes } of models) {
          const { id, tier, provider, imported, source } = manifest;
          say(
            `  ${pc.bold(id.padEnd(16))} ${tier.padEnd(6)} ${provider.padEnd(7)} ${bytesText(bytes).padStart(8)}  ${imported.slice(0, 10)}  from ${source.from}`,
          );
        }
        for (const { id, error } of broken)
          say(`  ${pc.bold(id.padEnd(16))} ${pc.red('unusable')} ${error.message}`);
        const here = new Set([...models.map(({ manifest }) => manifest.id), ...broken.map(({ id }) => id)]);
        for (const { id, about } of CATALOGUE.filter((entry) => !here.has(entry.id)))
          say(`  ${id.padEnd(16)} ${pc.dim('not installed')}  ${about}`);
        if (models.length === 0) say('Next: npc-voice model install personaplex');
      }),
    );
}

export function registerRemove(model: Command): void {
  model
    .command('remove')
    .description('Remove a model, and what was downloaded for it.')
    .argument('<id>', 'model')
    .action(
      action(async (id: string) => {
        const [{ modelsFolder, removeModel }, { removeDownloads }] = await Promise.all([
          rooms.store(),
          rooms.install(),
        ]);
        const models = modelsFolder();
        let none: NpcVoiceError | null = null;
        try {
          removeModel(id, models);
        } catch (error) {
          // There may be a download of a model that never was imported.
          if (!(error instanceof NpcVoiceError) || error.code !== 'model_unavailable') throw error;
          none = error;
        }
        const hadDownloads = await removeDownloads(models, id);
        if (none && !hadDownloads) throw none;
        say(`${pc.green('removed')} ${id}`);
      }),
    );
}
