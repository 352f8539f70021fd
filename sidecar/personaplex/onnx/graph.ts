/**
 * An ONNX graph under construction. Values carry their type and shape, so a mistake is found while building, at
 * the line that made it, and not as a message from inside ONNX Runtime about node 3117.
 */
import { NpcVoiceError } from '../../errors';
import { floatToHalf } from '../checkpoint/dtype';
import { BYTES_PER_ELEMENT, describeShape, elementCount, type DataType, type Shape } from './shape';

export interface Value {
  readonly graph: GraphBuilder;
  /** Changes once at most, when the value becomes an output of the graph. */
  readonly name: string;
  readonly type: DataType;
  readonly shape: Shape;
}

/** An operator's attribute: ONNX tells integers from floats, JavaScript does not. */
export type Attribute = { int: number } | { float: number } | { text: string } | { ints: readonly number[] };

export interface GraphNode {
  name: string;
  op: string;
  domain: string;
  /** Null stands for an optional input left out, or an optional output not wanted. */
  inputs: readonly (Value | null)[];
  outputs: readonly (Value | null)[];
  attributes: Readonly<Record<string, Attribute>>;
}

export interface TensorType {
  name: string;
  type: DataType;
  shape: Shape;
}

export interface Initialiser extends TensorType {
  bytes: Uint8Array;
}

/**
 * Weights that are read when the model is written: one or more tensors (values, scales, zero points) that come out
 * of the same reading. Reading goes part by part, so a table larger than memory may be written.
 */
export interface Payload {
  tensors: readonly TensorType[];
  /** Each part holds the next bytes of every tensor, in the order of `tensors`. */
  parts: readonly (() => Promise<readonly Uint8Array[]>)[];
}

export class GraphBuilder {
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly nodes: GraphNode[] = [];
  readonly constants: Initialiser[] = [];
  readonly payloads: Payload[] = [];
  readonly #names = new Map<string, number>();
  readonly #constantByContent = new Map<string, Value>();
  readonly #scopes: string[] = [];

  constructor(readonly name: string) {}

  input(name: string, type: DataType, shape: Shape): Value {
    const value = this.#value(this.#claim(name), type, shape);
    this.inputs.push(value);
    return value;
  }

  /** Makes a computed value an output of the graph, under a name. */
  output(name: string, value: Value): void {
    if (this.inputs.includes(value) || this.outputs.includes(value)) {
      this.fail(`${value.name} cannot be the output ${name}: it is an input or another output`);
    }
    (value as { name: string }).name = this.#claim(name);
    this.outputs.push(value);
  }

  /** Runs `build` with the names of all it makes under `scope/`. */
  scope<T>(scope: string, build: () => T): T {
    this.#scopes.push(scope);
    try {
      return build();
    } finally {
      this.#scopes.pop();
    }
  }

  /** A small tensor kept inside the model file. Equal constants are one. */
  constant(type: DataType, shape: Shape, values: readonly number[]): Value {
    const count = elementCount(shape);
    if (count !== values.length)
      this.fail(`a constant of shape ${describeShape(shape)} was given ${values.length} values`);
    const key = `${type}${describeShape(shape)}${values.join()}`;
    const known = this.#constantByContent.get(key);
    if (known) return known;
    const value = this.#value(`constant_${this.constants.length}`, type, shape);
    this.constants.push({ name: value.name, type, shape, bytes: encodeValues(type, values) });
    this.#constantByContent.set(key, value);
    return value;
  }

  /** Weights kept beside the model file, read when it is written. One value a tensor. */
  payload(tensors: readonly TensorType[], parts: Payload['parts']): Value[] {
    const named = tensors.map((tensor) => ({ ...tensor, name: this.#claim(tensor.name) }));
    for (const tensor of named) elementCount(tensor.shape);
    this.payloads.push({ tensors: named, parts });
    return named.map((tensor) => this.#value(tensor.name, tensor.type, tensor.shape));
  }

  /** A node and the values it makes. Absent optional inputs are null. */
  node(
    op: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { type: DataType; shape: Shape }[],
    more: {
      attributes?: Record<string, Attribute>;
      domain?: string;
      /** Optional results that are not wanted. */
      omit?: readonly number[];
    } = {},
  ): Value[] {
    for (const input of inputs) {
      if (input && input.graph !== this) this.fail(`${op} was given a value of another graph, ${input.name}`);
    }
    const path = this.#claim([...this.#scopes, op].join('/'));
    const values = outputs.map(({ type, shape }, i) => this.#value(`${path}:${i}`, type, shape));
    this.nodes.push({
      name: path,
      op,
      domain: more.domain ?? '',
      inputs: [...inputs],
      outputs: values.map((value, i) => (more.omit?.includes(i) ? null : value)),
      attributes: more.attributes ?? {},
    });
    return values;
  }

  /** Throws, saying where in the graph. */
  fail(why: string): never {
    throw new NpcVoiceError('internal', `Graph ${[this.name, ...this.#scopes].join('/')}: ${why}.`);
  }

  #value(name: string, type: DataType, shape: Shape): Value {
    return { graph: this, name, type, shape };
  }

  /** The name itself the first time, then with a number. */
  #claim(name: string): string {
    const seen = this.#names.get(name) ?? 0;
    this.#names.set(name, seen + 1);
    return seen === 0 ? name : `${name}_${seen}`;
  }
}

function encodeValues(type: DataType, values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * BYTES_PER_ELEMENT[type]);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (type === 'f32') view.setFloat32(i * 4, value, true);
    else if (type === 'f16') view.setUint16(i * 2, floatToHalf(value), true);
    else if (type === 'i32') view.setInt32(i * 4, value, true);
    else if (type === 'i64') view.setBigInt64(i * 8, BigInt(value), true);
    else view.setUint8(i, type === 'bool' ? Number(value !== 0) : value);
  });
  return bytes;
}
