/** `npm run bench [-- names]`: every figure beside its limit or its peer. Ends with 1 when one is over. */
import { passes, renderBench, type BenchReport } from './report';

const benches: Record<string, () => Promise<BenchReport | BenchReport[]>> = {
  sidecar: async () => (await import('./sidecar')).benchSidecar(),
  'turn-taking': async () => (await import('./turn-taking')).benchTurnTaking(),
  reload: async () => (await import('./reload')).benchReload(),
  personaplex: async () => (await import('./personaplex')).benchPersonaplex(),
  tiers: async () => (await import('./tiers')).benchTiers(),
};

const names = process.argv.slice(2);
if (names.includes('--help') || names.some((name) => !(name in benches))) {
  process.stdout.write(`Usage: npm run bench [-- ${Object.keys(benches).join(' | ')} ...]\n`);
  process.exit(names.includes('--help') ? 0 : 2);
}
let over = 0;
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  for (const report of [await benches[name]!()].flat()) {
    process.stdout.write(renderBench(report) + '\n');
    over += report.rows.filter((row) => !passes(row)).length;
  }
}
if (over > 0) process.stdout.write(`${over} ${over === 1 ? 'figure is' : 'figures are'} over the limit.\n`);
process.exit(over > 0 ? 1 : 0);
