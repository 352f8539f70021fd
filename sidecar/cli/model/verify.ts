/** `npc-voice model verify` and `model bench`: is it right, and is it fast enough. */
import { Option, type Command } from 'commander';
import { bytesText } from '../../bytes-text';
import { pc } from '../../colours';
import { NpcVoiceError } from '../../errors';
import { action } from '../failure';
import { Meter } from './meter';
import { rooms, say, wholeNumber } from './shared';

export function registerVerify(model: Command): void {
  model
    .command('verify')
    .description('Check a model’s files, and its answers against the published ones.')
    .argument('[id]', 'model', 'personaplex')
    .option('--files-only', 'only compare the files with their checksums', false)
    .action(
      action(async (id: string, options: { filesOnly: boolean }) => {
        const {
          hasReference,
          judgeReport,
          modelsFolder,
          openModel,
          REFERENCE_REPOSITORY,
          replayReference,
          verifyFiles,
        } = await rooms.store();
        const installed = openModel(id, modelsFolder());
        const { manifest } = installed;
        const meter = new Meter();
        await verifyFiles(installed, (done, total) => meter.update('checking files', done, total));
        meter.end();
        say(
          `${pc.green('ok')} ${manifest.files.length} files, ${bytesText(installed.bytes)}: as they were imported`,
        );
        if (options.filesOnly) return;
        if (!hasReference(manifest)) {
          say(
            `There are published answers for ${REFERENCE_REPOSITORY} only; this is another model, so its answers are not checked.`,
          );
          return;
        }
        say(`Replaying the published vectors on ${manifest.provider} …`);
        const report = await replayReference(installed);
        const row = (what: string, text: string): void => say(`  ${what.padEnd(34)} ${text}`);
        row(
          'text tokens',
          `${report.text.agree} of ${report.text.of} agree, logits within ${report.text.logitError.toFixed(4)}`,
        );
        row(
          'hidden state',
          `cosine ${report.hiddenCosine.toFixed(6)}, largest error ${report.hiddenError.toFixed(4)}`,
        );
        row('audio codes of the depth model', `${report.depth.agree} of ${report.depth.of} agree`);
        row('codec, encoding', `${report.codes.agree} of ${report.codes.of} codes agree`);
        row('codec, decoding', `audio within ${report.audioError.toExponential(1)}`);
        const faults = judgeReport(report, manifest.tier);
        if (faults.length === 0) {
          say(`${pc.green('ok')} ${id} (${manifest.tier}) answers as it should`);
          return;
        }
        const isReference = manifest.source.from === REFERENCE_REPOSITORY;
        throw new NpcVoiceError(
          'model_invalid',
          `${id} does not answer as ${REFERENCE_REPOSITORY} does: ${faults.join('; ')}.`,
          {
            hint: isReference
              ? 'Update the graphics driver, or install the model again with --provider cpu --force.'
              : `It was imported from ${manifest.source.from}: the published answers belong to NVIDIA’s weights only.`,
          },
        );
      }),
    );
}

export function registerBench(model: Command): void {
  model
    .command('bench')
    .description(
      'Measure a model on this machine: milliseconds a frame, and whether that keeps up with speech.',
    )
    .argument('[id]', 'model', 'personaplex')
    .addOption(
      new Option('--frames <n>', 'frames to measure').argParser(wholeNumber('--frames', 1, 3000)).default(25),
    )
    .action(
      action(async (id: string, options: { frames: number }) => {
        const [{ modelsFolder, openModel }, { benchModel }] = await Promise.all([
          rooms.store(),
          import('./timings'),
        ]);
        const installed = openModel(id, modelsFolder());
        const { tier, provider } = installed.manifest;
        say(`${pc.bold(id)} (${tier}) on ${provider}, ${options.frames} frames`);
        const { perFrame, prompt } = await benchModel(installed, options.frames);
        let total = 0;
        for (const { part, ms } of perFrame) {
          say(`  ${part.padEnd(22)} ${ms.toFixed(1).padStart(8)} ms`);
          total += ms;
        }
        say(`  ${'a frame in all'.padEnd(22)} ${total.toFixed(1).padStart(8)} ms of 80`);
        say(`  ${`a prompt of ${prompt.columns}`.padEnd(22)} ${prompt.ms.toFixed(0).padStart(8)} ms`);
        say(
          total <= 80
            ? `${pc.green('ok')} it keeps up with speech`
            : `${pc.yellow('slow')} it falls behind speech ${(total / 80).toFixed(1)} times; ${provider === 'webgpu' ? 'try a smaller tier' : 'try a smaller tier or a GPU'}`,
        );
      }),
    );
}
