/**
 * Reads the pickle inside a torch `.pt` voice. A general unpickler runs whatever its file tells it to; this one knows
 * the twenty opcodes and four names that a saved dictionary of tensors needs, and refuses every other.
 */
import { refuse } from './failure';

export interface Storage {
  kind: 'storage';
  type: 'bfloat16' | 'int64';
  /** Names the archive's member `data/<key>`. */
  key: string;
  elements: number;
}
export interface Tensor {
  kind: 'tensor';
  storage: Storage;
  offset: number;
  shape: readonly number[];
  strides: readonly number[];
}
interface Name {
  kind: 'name';
  name: string;
}
interface Tuple {
  kind: 'tuple';
  items: readonly PickleValue[];
}
interface Dictionary {
  kind: 'dictionary';
  entries: Map<string, PickleValue>;
}
type PickleValue = number | boolean | string | Name | Storage | Tensor | Tuple | Dictionary;

const REBUILD = 'torch._utils _rebuild_tensor_v2';
const ORDERED_DICT = 'collections OrderedDict';
const STORAGES: Record<string, Storage['type']> = {
  'torch BFloat16Storage': 'bfloat16',
  'torch LongStorage': 'int64',
};
const NAMES = new Set([REBUILD, ORDERED_DICT, ...Object.keys(STORAGES)]);

/** A voice's pickle has about 280 bytes. */
const MAX_BYTES = 64 * 1024;
const MAX_RANK = 8;
const MARK = Symbol('mark');

/**
 * The tensors of a pickled dictionary, by name.
 * @throws NpcVoiceError `voice_invalid` naming an opcode or name that has no place in a voice
 */
export function unpickleTensors(bytes: Uint8Array): Map<string, Tensor> {
  if (bytes.length > MAX_BYTES) throw refuse(`its pickle has ${bytes.length} bytes`);
  const result = new Unpickler(bytes).run();
  if (!isKind(result, 'dictionary')) throw refuse('it does not hold a dictionary');
  const tensors = new Map<string, Tensor>();
  for (const [name, value] of result.entries) {
    if (!isKind(value, 'tensor')) throw refuse(`its entry ${name} is not a tensor`);
    tensors.set(name, value);
  }
  return tensors;
}

type Kinded = Exclude<PickleValue, number | boolean | string>;
function isKind<K extends Kinded['kind']>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<Kinded, { kind: K }> {
  return typeof value === 'object' && value.kind === kind;
}

const isCount = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

class Unpickler {
  private readonly view: DataView;
  private at = 0;
  private readonly stack: (PickleValue | typeof MARK)[] = [];
  private readonly memo = new Map<number, PickleValue>();

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickleValue {
    for (;;) {
      const opcode = this.bytes[this.take(1)]!;
      switch (opcode) {
        case 0x80: { // PROTO
          const protocol = this.bytes[this.take(1)]!;
          if (protocol !== 2) throw refuse(`its pickle is of protocol ${protocol}, not 2`);
          break;
        }
        case 0x2e: // STOP
          return this.pop();
        case 0x28: // MARK
          this.stack.push(MARK);
          break;
        case 0x7d: // EMPTY_DICT
          this.stack.push({ kind: 'dictionary', entries: new Map() });
          break;
        case 0x29: // EMPTY_TUPLE
          this.pushTuple([]);
          break;
        case 0x74: // TUPLE
          this.pushTuple(this.popToMark());
          break;
        case 0x85: // TUPLE1
        case 0x86: // TUPLE2
        case 0x87: { // TUPLE3
          const items: PickleValue[] = [];
          for (let n = opcode - 0x84; n > 0; n--) items.unshift(this.pop());
          this.pushTuple(items);
          break;
        }
        case 0x88: // NEWTRUE
        case 0x89: // NEWFALSE
          this.stack.push(opcode === 0x88);
          break;
        case 0x4b: // BININT1
          this.stack.push(this.bytes[this.take(1)]!);
          break;
        case 0x4d: // BININT2
          this.stack.push(this.view.getUint16(this.take(2), true));
          break;
        case 0x4a: // BININT
          this.stack.push(this.view.getInt32(this.take(4), true));
          break;
        case 0x58: { // BINUNICODE
          const length = this.view.getUint32(this.take(4), true);
          const start = this.take(length);
          this.stack.push(new TextDecoder().decode(this.bytes.subarray(start, start + length)));
          break;
        }
        case 0x63: // GLOBAL
          this.stack.push(this.name());
          break;
        case 0x71: // BINPUT
          this.memo.set(this.bytes[this.take(1)]!, this.top());
          break;
        case 0x72: // LONG_BINPUT
          this.memo.set(this.view.getUint32(this.take(4), true), this.top());
          break;
        case 0x68: // BINGET
          this.stack.push(this.recall(this.bytes[this.take(1)]!));
          break;
        case 0x6a: // LONG_BINGET
          this.stack.push(this.recall(this.view.getUint32(this.take(4), true)));
          break;
        case 0x51: // BINPERSID
          this.stack.push(storageOf(this.pop()));
          break;
        case 0x52: { // REDUCE
          const argument = this.pop();
          this.stack.push(call(this.pop(), argument));
          break;
        }
        case 0x73: { // SETITEM
          const value = this.pop();
          this.setItems([this.pop(), value]);
          break;
        }
        case 0x75: // SETITEMS
          this.setItems(this.popToMark());
          break;
        default:
          throw refuse(`its pickle uses opcode 0x${opcode.toString(16).padStart(2, '0')}, which no voice needs`);
      }
    }
  } // prettier-ignore

  private take(length: number): number {
    if (length > this.bytes.length - this.at) throw refuse('its pickle is cut short');
    this.at += length;
    return this.at - length;
  }
  private top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === MARK) throw refuse('its pickle takes from an empty stack');
    return value;
  }
  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }
  private popToMark(): PickleValue[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw refuse('its pickle lacks a mark');
    const items = this.stack.splice(mark).slice(1);
    return items as PickleValue[];
  }
  private pushTuple(items: readonly PickleValue[]): void {
    this.stack.push({ kind: 'tuple', items });
  }
  private recall(key: number): PickleValue {
    const value = this.memo.get(key);
    if (value === undefined) throw refuse(`its pickle recalls value ${key}, which it never stored`);
    return value;
  }
  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw refuse('its pickle is cut short');
    const start = this.take(end + 1 - this.at);
    return new TextDecoder().decode(this.bytes.subarray(start, end));
  }
  private name(): Name {
    const name = `${this.line()} ${this.line()}`;
    if (!NAMES.has(name)) throw refuse(`its pickle names “${name.slice(0, 80)}”, which no voice needs`);
    return { kind: 'name', name };
  }
  private setItems(items: readonly PickleValue[]): void {
    const dictionary = this.top();
    if (!isKind(dictionary, 'dictionary') || items.length % 2)
      throw refuse('its pickle fills what is not a dictionary');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string') throw refuse('its dictionary has a key that is not text');
      dictionary.entries.set(key, items[i + 1]!);
    }
  }
}

/** The persistent id `('storage', type, key, location, elements)`; where the tensor once lived does not matter. */
function storageOf(id: PickleValue): Storage {
  if (!isKind(id, 'tuple')) throw refuse('its pickle refers to no storage');
  const [tag, type, key, , elements] = id.items;
  const known = isKind(type, 'name') ? STORAGES[type.name] : undefined;
  if (tag !== 'storage' || !known || typeof key !== 'string' || !isCount(elements))
    throw refuse('its pickle refers to a storage it does not describe');
  return { kind: 'storage', type: known, key, elements };
}

function call(callee: PickleValue, argument: PickleValue): PickleValue {
  if (!isKind(callee, 'name') || !isKind(argument, 'tuple'))
    throw refuse('its pickle calls what cannot be called');
  if (callee.name === ORDERED_DICT && argument.items.length === 0)
    return { kind: 'dictionary', entries: new Map() };
  if (callee.name !== REBUILD) throw refuse(`its pickle calls ${callee.name}`);
  const [storage, offset, shape, strides] = argument.items;
  const counts = (value: PickleValue | undefined): readonly number[] => {
    if (!isKind(value, 'tuple') || value.items.length > MAX_RANK || !value.items.every(isCount))
      throw refuse('a tensor of it has no valid shape');
    return value.items as number[];
  };
  if (!isKind(storage, 'storage') || !isCount(offset)) throw refuse('a tensor of it has no storage');
  const tensor: Tensor = { kind: 'tensor', storage, offset, shape: counts(shape), strides: counts(strides) };
  if (tensor.shape.length !== tensor.strides.length) throw refuse('a tensor of it has no valid strides');
  return tensor;
}
