/** `npc-voice model …`: get, check and measure the duplex models of this machine. */
import type { Command } from 'commander';
import { registerImport, registerSynthesise } from './model/import';
import { registerInstall } from './model/install';
import { registerList, registerRemove } from './model/shelf';
import { registerBench, registerVerify } from './model/verify';

export function registerModelCommands(program: Command): void {
  const model = program
    .command('model')
    .description('Get, check and measure the duplex models of this machine.')
    .addHelpText(
      'after',
      '\nModels live in your data folder; set NPC_VOICE_MODELS to have them elsewhere. `model list` says where.',
    );
  registerInstall(model);
  registerImport(model);
  registerVerify(model);
  registerList(model);
  registerRemove(model);
  registerBench(model);
  registerSynthesise(model);
}
