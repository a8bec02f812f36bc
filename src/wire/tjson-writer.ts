/** Writes TJSON (wire.md §3.2): no blanks, control characters escaped, never an invalid number. */
import { TType, type Encoded, type Pieces, type ProtocolWriter } from './protocol.js';

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [TType.BOOL]: 'tf',
  [TType.I32]: 'i32',
  [TType.I64]: 'i64',
  [TType.DOUBLE]: 'dbl',
  [TType.STRING]: 'str',
  [TType.STRUCT]: 'rec',
  [TType.MAP]: 'map',
  [TType.LIST]: 'lst',
  [TType.SET]: 'set',
};

/** What precedes a value: nothing in a field, a comma in a list, by turns in a map. */
const Place = { FIELD: 0, LIST: 1, FIRST_KEY: 2, VALUE: 3, KEY: 4 } as const;

const NOTHING = Buffer.alloc(0);
const FIRST_CHUNK = 4 * 1024;
const LARGEST_CHUNK = 1024 * 1024;

/** Text is handed to a buffer in pieces of about this length: one rope of 30 MB would stop the loop. */
const PIECE = 64 * 1024;

/** `"<id>":{"<type>":` by type and id, filled as fields come up. */
const FIELD_HEADS: string[][] = [];

function fieldHead(type: number, id: number): string {
  const heads = (FIELD_HEADS[type] ??= []);
  return (heads[id] ??= `"${id}":{"${TYPE_NAMES[type]}":`);
}

/** Characters that a JSON string may not hold as they are. */
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

export class JsonWriter implements ProtocolWriter {
  readonly protocol = 'json';
  private text = '';
  /** What was written before the text: full chunks, then the one that is being filled. */
  private readonly full: Buffer[] = [];
  private chunk: Buffer = NOTHING;
  private at = 0;
  /** Of a fork for keeping: what was written before the text; such a fork has no chunks. */
  private kept: string[] | undefined;
  private firstField = true;
  private place: number = Place.FIELD;
  private readonly outer: number[] = [];

  get isKept(): boolean {
    return this.kept !== undefined;
  }

  writeMessageBegin(name: string, type: number, seqid: number): void {
    this.text += `[1,${JSON.stringify(name)},${type},${seqid},`;
  }

  writeMessageEnd(): void {
    this.text += ']';
  }

  writeStructBegin(_name: string): void {
    this.begin('{', Place.FIELD);
    this.firstField = true;
  }

  writeStructEnd(): void {
    this.text += '}';
    this.end();
  }

  writeFieldBegin(_name: string, type: number, id: number): void {
    if (!this.firstField) this.text += ',';
    this.text += fieldHead(type, id);
  }

  writeFieldEnd(): void {
    this.text += '}';
    this.firstField = false;
  }

  writeFieldStop(): void {}

  writeListBegin(elementType: number, size: number): void {
    this.begin(`["${TYPE_NAMES[elementType]}",${size}`, Place.LIST);
  }

  writeListEnd(): void {
    this.text += ']';
    this.end();
  }

  writeSetBegin(elementType: number, size: number): void {
    this.writeListBegin(elementType, size);
  }

  writeSetEnd(): void {
    this.writeListEnd();
  }

  writeMapBegin(keyType: number, valueType: number, size: number): void {
    const head = `["${TYPE_NAMES[keyType]}","${TYPE_NAMES[valueType]}",${size},{`;
    this.begin(head, Place.FIRST_KEY);
  }

  writeMapEnd(): void {
    this.text += '}]';
    this.end();
  }

  writeBool(value: boolean): void {
    this.number(value ? '1' : '0');
  }

  writeI32(value: number): void {
    this.number(`${value}`);
  }

  writeI64(value: number | bigint): void {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new RangeError(`${value} is no i64`);
    }
    this.number(`${value}`);
  }

  writeDouble(value: number): void {
    if (Number.isFinite(value)) this.number(Object.is(value, -0) ? '-0' : `${value}`);
    else this.value(`"${value}"`);
  }

  writeString(value: string): void {
    this.value(NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`);
  }

  writeEncodedStruct(piece: Encoded): void {
    this.value(piece as string);
  }

  fork(): JsonWriter {
    return new JsonWriter();
  }

  encoded(): Encoded {
    // Through bytes, so that what is kept is one flat text and no rope.
    return this.finish().toString();
  }

  writePieces(pieces: Pieces): void {
    this.lead();
    this.flush();
    if (this.kept !== undefined) {
      this.kept.push(...pieces);
      return;
    }
    for (const piece of pieces) {
      this.room(piece.length);
      this.at += this.chunk.write(piece, this.at, 'latin1');
    }
  }

  forkForKeeping(): JsonWriter {
    const fork = new JsonWriter();
    fork.kept = [];
    return fork;
  }

  pieces(): Pieces {
    this.flush();
    return this.kept ?? [];
  }

  finish(): Buffer {
    if (this.chunk === NOTHING) return Buffer.from(this.text);
    const parts = this.parts();
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  parts(): readonly Buffer[] {
    if (this.chunk === NOTHING) return [Buffer.from(this.text)];
    this.flush();
    return [...this.full, this.chunk.subarray(0, this.at)];
  }

  /** Moves the text into the chunk, or to what is kept. */
  private flush(): void {
    const { text } = this;
    if (text === '') return;
    this.text = '';
    if (this.kept !== undefined) {
      this.kept.push(Buffer.from(text).toString('latin1'));
      return;
    }
    // The exact length is asked for only where the longest possible one would not fit.
    if (this.at + 3 * text.length > this.chunk.length) this.room(Buffer.byteLength(text));
    this.at += this.chunk.write(text, this.at, 'utf8');
  }

  private room(size: number): void {
    if (this.at + size <= this.chunk.length) return;
    if (this.at > 0) this.full.push(this.chunk.subarray(0, this.at));
    const next = this.chunk === NOTHING ? FIRST_CHUNK : this.chunk.length * 2;
    this.chunk = Buffer.allocUnsafe(Math.max(Math.min(next, LARGEST_CHUNK), size));
    this.at = 0;
  }

  /** Keys of maps are quoted, whatever their type. */
  private number(text: string): void {
    const isKey = this.place === Place.FIRST_KEY || this.place === Place.KEY;
    this.value(isKey ? `"${text}"` : text);
  }

  private value(text: string): void {
    this.lead();
    this.text += text;
  }

  private begin(head: string, place: number): void {
    this.lead();
    this.text += head;
    this.outer.push(this.place);
    this.place = place;
  }

  private end(): void {
    this.place = this.outer.pop() as number;
    if (this.text.length >= PIECE) this.flush();
  }

  /** Writes the sign before a value and moves on to the place after it. */
  private lead(): void {
    switch (this.place) {
      case Place.FIELD:
        return;
      case Place.LIST:
        this.text += ',';
        return;
      case Place.VALUE:
        this.text += ':';
        this.place = Place.KEY;
        return;
      case Place.KEY:
        this.text += ',';
        this.place = Place.VALUE;
        return;
      default:
        this.place = Place.VALUE;
    }
  }
}
