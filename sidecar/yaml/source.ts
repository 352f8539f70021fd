/**
 * The text of a YAML file, parsed within limits, that can say where each of its values stands.
 * YAML 1.2 core schema, one document, no tags of one's own, no merge keys. Everything wrong is in `problems`;
 * nothing here throws.
 */
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import { composeDocument, LimitExceeded, MAX_DEPTH, type Range } from './compose';
import { sortProblems, type Problem, type Severity } from './problem';

/** Values after every alias has been replaced by what it stands for. */
const MAX_VALUES = 10_000;
/** Beyond this, more of them help nobody. */
const MAX_PROBLEMS = 100;

export type Path = readonly PropertyKey[];

export class YamlSource {
  readonly problems: Problem[] = [];
  /** Plain maps (without prototype), arrays and scalars; undefined when the text does not parse. */
  readonly value: unknown;
  private readonly lineStarts: number[] = [0];
  private readonly root: Node | null = null;
  private anchors: Map<string, Node[]> | undefined;
  private values = 0;

  constructor(
    readonly file: string,
    readonly text: string,
  ) {
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) this.lineStarts.push(i + 1);
    try {
      const document = composeDocument(text, (...problem) => this.error(...problem));
      if (!document || this.problems.length > 0) return;
      this.root = document.contents;
      if (this.root) this.value = this.plain(this.root, 1, new Set());
    } catch (thrown) {
      if (thrown instanceof LimitExceeded)
        this.error('too_complex', thrown.range, thrown.message, thrown.hint);
      else this.error('yaml_syntax', [0, 0], `This is not YAML: ${(thrown as Error).message}`);
    }
    sortProblems(this.problems);
  }

  /** Adds a problem at a range of the text. */
  report(severity: Severity, code: string, range: Range, message: string, hint?: string): void {
    if (this.full) return;
    const from = Math.min(Math.max(0, range[0]), this.text.length);
    const to = Math.min(Math.max(from, range[1]), this.text.length);
    const start = this.lineColumn(from);
    const end = this.lineColumn(to);
    this.problems.push({
      severity, code, message, ...(hint === undefined ? {} : { hint }), file: this.file,
      line: start.line, column: start.column, endLine: end.line, endColumn: end.column, from, to,
      source: this.lineAt(start.line),
    }); // prettier-ignore
  }
  /** No more problems are taken. */
  get full(): boolean {
    return this.problems.length >= MAX_PROBLEMS;
  }
  error(code: string, range: Range, message: string, hint?: string): void {
    this.report('error', code, range, message, hint);
  }

  /** Where the value at `path` stands; where there is none, its nearest ancestor. */
  valueRange(path: Path): Range {
    const { value, key, exact } = this.find(path);
    return this.trimmed(exact ? (rangeOf(value) ?? rangeOf(key)) : (rangeOf(key) ?? firstOf(value)));
  }
  /** Where the key at `path` stands; for items of a list, the item. */
  keyRange(path: Path): Range {
    const { key, value, exact } = this.find(path);
    return this.trimmed(exact ? (rangeOf(key) ?? rangeOf(value)) : (rangeOf(key) ?? firstOf(value)));
  }
  /** The range of the `nth` (from 0) occurrence of `needle` as written in the scalar at `path`; else the scalar's. */
  withinRange(path: Path, needle: string, nth: number): Range {
    const [from, to] = this.valueRange(path);
    const written = this.text.slice(from, to);
    let at = -1;
    for (let i = 0; i <= nth; i++) {
      at = written.indexOf(needle, at + 1);
      if (at < 0) return [from, to];
    }
    return [from + at, from + at + needle.length];
  }

  /** A block reaches to where the next one begins; what is shown of it ends with its last letter. */
  private trimmed([from, end]: Range = [0, 0]): Range {
    let to = end;
    while (to > from && /\s/.test(this.text[to - 1]!)) to--;
    return [from, to];
  }
  private lineColumn(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - this.lineStarts[low]! + 1 };
  }
  private lineAt(line: number): string {
    const from = this.lineStarts[line - 1]!;
    const to = this.lineStarts[line] ?? this.text.length;
    return this.text.slice(from, to).replace(/\r?\n$/, '').slice(0, 500); // prettier-ignore
  }

  /** Like Document.toJS, but counting what aliases multiply, and without keys that would name prototypes. */
  private plain(node: Node, depth: number, open: Set<Node>): unknown {
    const range = rangeOf(node) ?? [0, 0];
    if (++this.values > MAX_VALUES || depth > MAX_DEPTH)
      throw new LimitExceeded(range, 'This stands for too many values.', 'Write less, or use fewer aliases.');
    if (isAlias(node)) {
      const target = this.anchored(node.source, range[0]);
      if (!target || open.has(target))
        return void this.error('bad_alias', range, `'*${node.source}' stands for nothing that is complete above it.`,
          'Text that begins with * needs quotes.'); // prettier-ignore
      return this.plain(target, depth + 1, open);
    }
    if (isScalar(node)) return node.value;
    open.add(node);
    let value: unknown;
    if (isSeq(node)) value = node.items.map((item) => this.plain(item as Node, depth + 1, open));
    else if (isMap(node)) value = this.plainMap(node.items, depth, open);
    open.delete(node);
    return value;
  }
  private plainMap(pairs: readonly Pair[], depth: number, open: Set<Node>): unknown {
    const map = Object.create(null) as Record<string, unknown>;
    for (const pair of pairs) {
      const range = rangeOf(pair.key) ?? [0, 0];
      const key = keyText(pair);
      if (key === undefined)
        this.error('bad_key', range, 'A key is plain text.', 'Text that begins with { or [ needs quotes.');
      else if (key === '__proto__') this.error('bad_key', range, `'${key}' cannot be a key.`);
      else map[key] = pair.value === null ? null : this.plain(pair.value as Node, depth + 1, open);
    }
    return map;
  }

  /** The node that anchor `name` names at `before`: the last one set above it. */
  private anchored(name: string, before: number): Node | undefined {
    this.anchors ??= anchorsOf(this.root);
    return this.anchors.get(name)?.findLast((node) => node.range![0] < before);
  }

  private find(path: Path): { key?: unknown; value?: unknown; exact: boolean } {
    let value: unknown = this.root;
    let key: unknown;
    for (const step of path) {
      if (isAlias(value)) value = this.anchored(value.source, rangeOf(value)![0]);
      if (isMap(value)) {
        const pair = value.items.find((item) => keyText(item) === String(step));
        if (!pair) return { key, value, exact: false };
        [key, value] = [pair.key, pair.value];
      } else if (isSeq(value)) {
        const item = value.items[Number(step)];
        if (item === undefined) return { key, value, exact: false };
        [key, value] = [undefined, item];
      } else return { key, value, exact: false };
    }
    return { key, value, exact: true };
  }
}

/** Every anchored node, by name, in the order of the text. */
function anchorsOf(root: Node | null): Map<string, Node[]> {
  const anchors = new Map<string, Node[]>();
  const visit = (node: unknown): void => {
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor)
      anchors.set(node.anchor, [...(anchors.get(node.anchor) ?? []), node]);
    if (isMap(node)) for (const pair of node.items) [pair.key, pair.value].forEach(visit);
    else if (isSeq(node)) node.items.forEach(visit);
  };
  visit(root);
  return anchors;
}

function keyText(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value ?? '') : undefined;
}
/** [start, end of the value); null values that are written as nothing have no range of their own. */
function rangeOf(node: unknown): Range | undefined {
  const range = (node as Node | null | undefined)?.range;
  if (!range || range[0] === range[1]) return undefined;
  return [range[0], range[1]];
}
/** A collection's first character, rather than all of it. */
function firstOf(node: unknown): Range | undefined {
  const range = rangeOf(node);
  return range && [range[0], range[0]];
}
