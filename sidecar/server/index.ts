/** The server: HTTP and WebSocket on one loopback port. Nothing below the scene knows that it exists. */
export { DEFAULT_PORT, startServer, type RunningServer, type ServerOptions } from './server';
export { DEFAULT_LIMITS, type ServerLimits } from './limits';
export { createLog, LOG_LEVELS, type Log, type LogLevel } from './log';
export { checkExposure } from './gate';
export {
  findRunning, readRuntimeFile, removeRuntimeFile, runtimeDir, runtimeFile, writeRuntimeFile,
  type RuntimeInfo,
} from './runtime-file'; // prettier-ignore
export type { CreateScene } from './session';
