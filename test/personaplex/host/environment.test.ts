import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { hostEnvironment } from '../../../sidecar/personaplex/host/environment';

describe('the model host’s environment', () => {
  it('asks for huge pages, beside what is asked for already', () => {
    expect(hostEnvironment({ PATH: '/bin' })).toEqual({
      PATH: '/bin',
      GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    });
    expect(hostEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' }).GLIBC_TUNABLES).toBe(
      'glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1',
    );
  });

  it('leaves alone what the user has decided', () => {
    const own = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0' };
    expect(hostEnvironment(own)).toEqual(own);
  });

  it('is one that Node starts in without a word', () => {
    const program = 'console.log(process.env.GLIBC_TUNABLES)';
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
      env: hostEnvironment({ PATH: process.env.PATH }),
      encoding: 'utf8',
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'glibc.malloc.hugetlb=1\n', stderr: '' });
  });
});
