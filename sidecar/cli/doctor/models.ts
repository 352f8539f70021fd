import { bytesText } from '../../bytes-text';
import { listModels, modelsFolder } from '../../personaplex/store';
import type { Finding } from './report';

/** Which neural models are installed. None is needed to talk. */
export async function inspectModels(): Promise<Finding[]> {
  const { models, broken } = listModels(modelsFolder());
  if (models.length + broken.length === 0)
    return [
      {
        what: 'models',
        state: 'note',
        says: 'none installed; the understudy needs none',
        todo: 'For a character that understands: npc-voice model install personaplex',
      },
    ];
  return [
    ...models.map(({ manifest, bytes }): Finding => ({
      what: manifest.id,
      state: 'ok',
      says: `${manifest.tier}, for ${manifest.provider}, ${bytesText(bytes)}`,
      todo: `Prove it on this machine: npc-voice model verify ${manifest.id}`,
    })),
    ...broken.map(({ id, error }): Finding => ({
      what: id,
      state: 'note',
      says: error.message,
      todo: error.hint ?? `npc-voice model remove ${id}`,
    })),
  ];
}
