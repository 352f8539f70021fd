/** NVIDIA's packaged voices: what the model heard of a voice prompt, saved by torch. */
import { firstNonFinite } from '../checkpoint';
import { refuse } from './failure';
import { unpickleTensors, type Tensor } from './unpickle';
import { readStoredZip } from './zip';

export interface VoiceEmbeddings {
  kind: 'embeddings';
  /** 80 ms frames of the prompt: one more than there are rows, for the first frame has none. */
  frames: number;
  /** Width of a row: the model's `dim`. */
  dim: number;
  /** (frames − 1) × dim: the summed input embeddings of columns 0 to frames − 2, row-major. */
  rows: Float32Array;
  /** 17 × 4, row-major: tokens of each stream at columns c with c mod 4 = 0..3, as they stood after the prompt. */
  cache: Int32Array;
}

const MAX_FRAMES = 3000;
const MAX_DIM = 16384;
const STREAMS = 17;
const CACHE_COLUMNS = 4;

/**
 * Reads a `.pt` voice.
 * @throws NpcVoiceError `voice_invalid` with the reason: a container, opcode, name, storage or shape that is not a voice's
 */
export function readVoiceEmbeddings(file: Uint8Array): VoiceEmbeddings {
  const members = readStoredZip(file);
  const pickle = members.get('data.pkl');
  if (!pickle) throw refuse('it holds no data.pkl');
  const tensors = unpickleTensors(pickle);
  const embeddings = tensors.get('embeddings');
  const cache = tensors.get('cache');
  if (!embeddings || !cache || tensors.size !== 2)
    throw refuse('it does not hold exactly “embeddings” and “cache”');

  const [rows = 0, one, two, dim = 0] = embeddings.shape;
  if (
    embeddings.shape.length !== 4 ||
    one !== 1 ||
    two !== 1 ||
    rows < 1 ||
    rows >= MAX_FRAMES ||
    dim < 1 ||
    dim > MAX_DIM
  )
    throw refuse(
      `its embeddings are of shape [${embeddings.shape.join(', ')}], not [frames − 1, 1, 1, width]`,
    );
  if (cache.shape.join() !== `1,${STREAMS},${CACHE_COLUMNS}`)
    throw refuse(`its cache is of shape [${cache.shape.join(', ')}], not [1, 17, 4]`);

  const storage = storageOf(embeddings, 'bfloat16', members);
  const values = new Float32Array(rows * dim);
  const bits = new Uint32Array(values.buffer);
  eachElement(embeddings, (i, at) => (bits[i] = storage.getUint16(2 * at, true) << 16));
  if (firstNonFinite(values) >= 0) throw refuse('its embeddings hold values that are not finite');

  const tokens = new Int32Array(STREAMS * CACHE_COLUMNS);
  const ids = storageOf(cache, 'int64', members);
  eachElement(cache, (i, at) => {
    const id = ids.getBigInt64(8 * at, true);
    if (id < -2n || id > 1_000_000n) throw refuse(`its cache holds ${id}, which is no token`);
    tokens[i] = Number(id);
  });
  return { kind: 'embeddings', frames: rows + 1, dim, rows: values, cache: tokens };
}

/** The storage's bytes, checked against every index the tensor can reach. */
function storageOf(
  tensor: Tensor,
  type: Tensor['storage']['type'],
  members: ReadonlyMap<string, Uint8Array>,
): DataView {
  const { storage, offset, shape, strides } = tensor;
  if (storage.type !== type) throw refuse(`a tensor of it is ${storage.type}, not ${type}`);
  const bytes = members.get(`data/${storage.key}`);
  const width = type === 'int64' ? 8 : 2;
  if (!bytes || bytes.length < storage.elements * width)
    throw refuse(`its storage ${storage.key.slice(0, 20)} is missing or too small`);
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, offset);
  if (last >= storage.elements) throw refuse('a tensor of it reaches beyond its storage');
  // Strides of 0 make much of little.
  const count = shape.reduce((product, size) => product * size, 1);
  if (count > storage.elements) throw refuse('a tensor of it has more elements than its storage');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Calls `visit` with each element's row-major index and its place in the storage. */
function eachElement({ offset, shape, strides }: Tensor, visit: (index: number, at: number) => void): void {
  const count = shape.reduce((a, b) => a * b, 1);
  for (let index = 0; index < count; index++) {
    let rest = index;
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis]!;
      at += (rest % size) * strides[axis]!;
      rest = Math.floor(rest / size);
    }
    visit(index, at);
  }
}
