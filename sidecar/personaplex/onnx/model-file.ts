/**
 * Writes a graph as an ONNX model: one small file of nodes, and one of weights beside it. Weights stream through:
 * at most `ahead` parts are being read at any time, whatever the size of the model.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { CONTRIB_DOMAIN } from './contrib';
import type { Attribute, GraphBuilder, GraphNode, Initialiser, Payload, TensorType } from './graph';
import { ProtobufWriter } from './protobuf';
import { BYTES_PER_ELEMENT, DATA_TYPE_CODE, elementCount } from './shape';

const IR_VERSION = 10;
const OPSET = 21;
const CONTRIB_OPSET = 1;
/** Pages: ONNX Runtime maps weights that start on one instead of copying them. */
const PAGE = 4096;
const CACHE_LINE = 64;

interface Placed extends TensorType {
  offset: number;
  length: number;
}

export interface WriteOptions {
  /** Parts read ahead of the writer; as many as the weight source has workers, and one more. Default 1. */
  ahead?: number;
  /** Told the bytes written so far, and in all. */
  progress?: (written: number, total: number) => void;
}

/** Bytes of a graph's weights, so that a caller can check the disk first. */
export const weightBytes = (graph: GraphBuilder): number => place(graph).total;

/**
 * Writes `<file>` and `<file>.data`. The same graph and weights make the same bytes.
 * @param file path ending in `.onnx`
 */
export async function writeModel(
  graph: GraphBuilder,
  file: string,
  options: WriteOptions = {},
): Promise<void> {
  const { placed, total } = place(graph);
  const location = `${path.basename(file)}.data`;
  const handle = await open(`${file}.data`, 'w');
  try {
    await handle.truncate(total);
    await streamPayloads(graph.payloads, options.ahead ?? 1, async (tensor, at, bytes) => {
      const target = placed.get(tensor)!;
      if (at + bytes.length > target.length)
        graph.fail(`the weights of ${tensor.name} are longer than its shape says`);
      await writeAll(handle, bytes, target.offset + at);
      options.progress?.(target.offset + at + bytes.length, total);
    });
    await handle.sync();
  } finally {
    await handle.close();
  }
  const model = await open(file, 'w');
  try {
    await writeAll(model, encodeModel(graph, [...placed.values()], location), 0);
    await model.sync();
  } finally {
    await model.close();
  }
}

/** The whole model in memory, weights inside: for graphs far below protobuf's 2 GB. */
export async function modelBytes(graph: GraphBuilder): Promise<Uint8Array> {
  const bytes = new Map<TensorType, Uint8Array[]>();
  await streamPayloads(graph.payloads, 1, async (tensor, _at, part) => {
    bytes.set(tensor, [...(bytes.get(tensor) ?? []), part]);
  });
  const inside: Initialiser[] = [...bytes].map(([tensor, parts]) => ({
    ...tensor,
    bytes: Buffer.concat(parts),
  }));
  return encodeModel(graph, [], '', inside);
}

function place(graph: GraphBuilder): { placed: Map<TensorType, Placed>; total: number } {
  const placed = new Map<TensorType, Placed>();
  let total = 0;
  for (const tensor of graph.payloads.flatMap((payload) => payload.tensors)) {
    const length = elementCount(tensor.shape) * BYTES_PER_ELEMENT[tensor.type];
    const grain = length >= PAGE ? PAGE : CACHE_LINE;
    const offset = Math.ceil(total / grain) * grain;
    placed.set(tensor, { ...tensor, offset, length });
    total = offset + length;
  }
  return { placed, total };
}

async function streamPayloads(
  payloads: readonly Payload[],
  ahead: number,
  write: (tensor: TensorType, at: number, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const parts = payloads.flatMap((payload) => payload.parts.map((read) => ({ payload, read })));
  const reading: Promise<readonly Uint8Array[]>[] = [];
  const written = new Map<TensorType, number>();
  const start = (index: number): void => {
    const part = parts[index];
    if (!part) return;
    const promise = part.read();
    // Awaited in its turn; until then a failure must not count as unhandled.
    promise.catch(() => {});
    reading[index] = promise;
  };
  for (let i = 0; i < ahead; i++) start(i);
  for (const [index, { payload }] of parts.entries()) {
    if (!reading[index]) start(index);
    start(index + ahead);
    const chunks = await reading[index]!;
    delete reading[index];
    for (const [i, tensor] of payload.tensors.entries()) {
      const at = written.get(tensor) ?? 0;
      await write(tensor, at, chunks[i]!);
      written.set(tensor, at + chunks[i]!.length);
    }
  }
  for (const tensor of payloads.flatMap((payload) => payload.tensors)) {
    const expected = elementCount(tensor.shape) * BYTES_PER_ELEMENT[tensor.type];
    if (written.get(tensor) !== expected) {
      throw new Error(
        `the weights of ${tensor.name} have ${written.get(tensor) ?? 0} bytes, its shape says ${expected}`,
      );
    }
  }
}

async function writeAll(
  handle: Awaited<ReturnType<typeof open>>,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

// Field numbers below are those of onnx.proto3 (github.com/onnx/onnx), named in the comment of each group.

function encodeModel(
  graph: GraphBuilder,
  outside: readonly Placed[],
  location: string,
  inside: readonly Initialiser[] = [],
): Uint8Array {
  const model = new ProtobufWriter(); // ModelProto: 1 ir_version, 2 producer_name, 7 graph, 8 opset_import
  model.integer(1, IR_VERSION).text(2, 'npc-voice');
  model.message(7, (g) => {
    // GraphProto: 1 node, 2 name, 5 initializer, 11 input, 12 output
    for (const node of graph.nodes) g.message(1, (n) => encodeNode(n, node));
    g.text(2, graph.name);
    for (const tensor of [...graph.constants, ...inside]) {
      g.message(5, (t) => encodeTensor(t, tensor).bytes(9, tensor.bytes));
    }
    for (const tensor of outside) {
      g.message(5, (t) => {
        encodeTensor(t, tensor);
        const entries = { location, offset: `${tensor.offset}`, length: `${tensor.length}` };
        for (const [key, value] of Object.entries(entries))
          t.message(13, (e) => e.text(1, key).text(2, value));
        t.integer(14, 1);
      });
    }
    for (const value of graph.inputs) g.message(11, (v) => encodeValueInfo(v, value));
    for (const value of graph.outputs) g.message(12, (v) => encodeValueInfo(v, value));
  });
  // OperatorSetIdProto: 1 domain, 2 version
  model.message(8, (o) => o.text(1, '').integer(2, OPSET));
  model.message(8, (o) => o.text(1, CONTRIB_DOMAIN).integer(2, CONTRIB_OPSET));
  return model.finish();
}

/** TensorProto: 1 dims, 2 data_type, 8 name, 9 raw_data, 13 external_data, 14 data_location. */
function encodeTensor(out: ProtobufWriter, tensor: TensorType): ProtobufWriter {
  for (const dim of tensor.shape) out.integer(1, dim as number);
  return out.integer(2, DATA_TYPE_CODE[tensor.type]).text(8, tensor.name);
}

/** ValueInfoProto: 1 name, 2 type; TypeProto: 1 tensor_type {1 elem_type, 2 shape}; dimension: 1 value, 2 name. */
function encodeValueInfo(out: ProtobufWriter, value: TensorType): void {
  out.text(1, value.name).message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.integer(1, DATA_TYPE_CODE[value.type]).message(2, (shape) => {
        for (const dim of value.shape) {
          shape.message(1, (d) => (typeof dim === 'number' ? d.integer(1, dim) : d.text(2, dim)));
        }
      });
    }),
  );
}

/** NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain. */
function encodeNode(out: ProtobufWriter, node: GraphNode): void {
  for (const input of node.inputs) out.text(1, input?.name ?? '');
  for (const output of node.outputs) out.text(2, output?.name ?? '');
  out.text(3, node.name).text(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    out.message(5, (a) => encodeAttribute(a.text(1, name), attribute));
  }
  if (node.domain) out.text(7, node.domain);
}

/** AttributeProto: 1 name, 2 f, 3 i, 4 s, 8 ints, 20 type (FLOAT 1, INT 2, STRING 3, INTS 7). */
function encodeAttribute(out: ProtobufWriter, attribute: Attribute): void {
  if ('float' in attribute) out.float(2, attribute.float).integer(20, 1);
  else if ('int' in attribute) out.integer(3, attribute.int).integer(20, 2);
  else if ('text' in attribute) out.text(4, attribute.text).integer(20, 3);
  else {
    for (const int of attribute.ints) out.integer(8, int);
    out.integer(20, 7);
  }
}
