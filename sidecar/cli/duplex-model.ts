/** Which duplex model a command talks with. */
import type { Command } from 'commander';
import type { DuplexModel } from '../duplex';

/** The option by which a command is told. */
export const withDuplexModel = (command: Command): Command =>
  command.option(
    '--model <name>',
    'what turns hearing into speech: understudy, personaplex, moshiko, or the folder of an imported model',
    'understudy',
  );

export interface DuplexModelChoice {
  model: string;
  /** Folder of voice files; voice prompts lie beside them. */
  voices: string;
  /** False: the same input and seed give the same output, however long it takes. */
  realtime: boolean;
}

/**
 * The model of that name; `start()` it before use.
 * @throws NpcVoiceError `model_unavailable` when it is not installed
 */
export async function createDuplexModel({
  model,
  voices,
  realtime,
}: DuplexModelChoice): Promise<DuplexModel> {
  if (model === 'understudy') return (await import('../understudy')).createUnderstudy({ realtime });
  const { createPersonaPlex } = await import('../personaplex');
  return createPersonaPlex({ model, voices: [voices], realtime });
}
