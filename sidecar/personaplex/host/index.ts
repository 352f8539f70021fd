/** The model host: a process of its own for the model, and the sidecar's end of it. Nothing here loads ONNX Runtime. */
export { HostClient, type HostLimits, type HostOwner } from './client';
export {
  COLUMN_INTS,
  MOVED,
  MOVED_INTS,
  type HostPrompt,
  type LoadedModel,
  type PrimedFigures,
  type RestoreSeat,
  type SeatTaken,
} from './messages';
