/** Parity with the reference implementation, proven on traces of small random models. */
export { runParity, type ParityReport } from './run';
