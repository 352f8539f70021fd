/** PersonaPlex at full width on this machine: random weights of the published shapes, fewer layers. */
import type { BenchReport } from '../report';
import { benchContext } from './context';
import { benchMimi } from './mimi';
import { benchSteps } from './steps';
import { benchWebgpu } from './webgpu';

export const benchPersonaplex = async (): Promise<BenchReport[]> => [
  await benchMimi(),
  await benchSteps(),
  await benchContext(),
  await benchWebgpu(),
];
