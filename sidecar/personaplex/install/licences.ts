/** Which licences were accepted on this machine. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeModelsFolder } from '../import';

const FILE = 'licences.json';

function read(models: string): Record<string, unknown> {
  const file = path.join(models, FILE);
  if (!existsSync(file)) return {};
  try {
    const json = JSON.parse(readFileSync(file, 'utf8')) as unknown;
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    // Not knowing is asking again.
    return {};
  }
}

/** Whether the licence of a repository was accepted before. */
export const isAccepted = (models: string, repository: string): boolean =>
  Object.hasOwn(read(models), repository);

/** Remembers that it was. */
export function rememberAccepted(models: string, repository: string, licence: string): void {
  makeModelsFolder(models);
  const all = { ...read(models), [repository]: { licence, accepted: new Date().toISOString() } };
  const file = path.join(models, FILE);
  writeFileSync(`${file}.new`, `${JSON.stringify(all, null, 1)}\n`);
  renameSync(`${file}.new`, file);
}
