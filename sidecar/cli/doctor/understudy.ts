import type { Finding } from './report';

/** Has the understudy start: its voice activity detector and its text-to-speech both load and run. */
export async function inspectUnderstudy(): Promise<Finding[]> {
  const { createUnderstudy } = await import('../../understudy');
  const model = createUnderstudy();
  const began = performance.now();
  try {
    await model.start();
    return [
      { what: 'start', state: 'ok', says: `${Math.round(performance.now() - began)} ms` },
      { what: 'capacity', state: 'ok', says: `${model.info.capacity.npcs} NPCs: ${model.info.capacity.why}` },
    ];
  } finally {
    await model.stop();
  }
}
