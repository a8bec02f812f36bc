/** Thrift's binary protocol (wire.md §3.1): strict and old headers are read, strict ones written. */
import { BoundedReader, Turn } from './bounded-reader.js';
import {
  ProtocolError,
  TType,
  type Encoded,
  type Pieces,
  type FieldHeader,
  type MessageHeader,
  type ProtocolReader,
  type ProtocolWriter,
  type SizeHeader,
} from './protocol.js';

const VERSION_1 = 0x80010000 | 0;
const VERSION_MASK = 0xffff0000 | 0;
const TWO_32 = 2 ** 32;

/** What a value of each type takes at least; 0 for numbers that are no type. */
const MINIMUM: Uint8Array = (() => {
  const sizes = new Uint8Array(256);
  sizes[TType.BOOL] = sizes[TType.BYTE] = sizes[TType.STRUCT] = 1;
  sizes[TType.I16] = 2;
  sizes[TType.I32] = sizes[TType.STRING] = 4;
  sizes[TType.LIST] = sizes[TType.SET] = 5;
  sizes[TType.MAP] = 6;
  sizes[TType.DOUBLE] = sizes[TType.I64] = 8;
  return sizes;
})();

export class BinaryReader extends BoundedReader implements ProtocolReader {
  private at = 0;
  private readonly field = { ftype: 0, fid: 0 };

  constructor(
    private readonly bytes: Buffer,
    maxValues?: number,
  ) {
    super(maxValues);
  }

  readMessageBegin(): MessageHeader {
    const first = this.int32();
    if (first >= 0) {
      const name = this.text(first);
      const type = this.byte();
      return { name, type, seqid: this.int32() };
    }
    if ((first & VERSION_MASK) !== VERSION_1) throw new ProtocolError('no binary message');
    const name = this.text(this.int32());
    return { name, type: first & 0xff, seqid: this.int32() };
  }

  readMessageEnd(): void {}

  readStructBegin(): void {
    this.begin(TType.STRUCT);
  }

  readStructEnd(): void {
    this.end();
  }

  readFieldBegin(): FieldHeader {
    const { field } = this;
    field.ftype = this.byte();
    if (field.ftype !== TType.STOP) {
      this.count(1);
      const high = this.byte();
      field.fid = ((high << 24) >> 16) | this.byte();
    }
    return field;
  }

  readFieldEnd(): void {}

  protected beginCollection(type: number): SizeHeader {
    this.begin(type);
    const element = this.byte();
    const size = this.int32();
    this.sized(size, MINIMUM[element]!, this.bytes.length - this.at);
    this.element = this.following = element;
    return { size };
  }

  protected endCollection(): void {
    this.end();
  }

  readMapBegin(): SizeHeader {
    this.begin(TType.MAP);
    const key = this.byte();
    const value = this.byte();
    const size = this.int32();
    const known = MINIMUM[key] !== 0 && MINIMUM[value] !== 0;
    this.sized(size, known ? MINIMUM[key]! + MINIMUM[value]! : 0, this.bytes.length - this.at);
    this.count(size);
    this.element = key;
    this.following = value;
    this.turn = Turn.FIRST_KEY;
    return { size };
  }

  readMapEnd(): void {
    this.end();
  }

  readBool(): boolean {
    this.value(TType.BOOL);
    return this.byte() === 1;
  }

  readI32(): number {
    this.value(TType.I32);
    return this.int32();
  }

  readI64(): number | bigint {
    this.value(TType.I64);
    const high = this.int32();
    const number = high * TWO_32 + (this.int32() >>> 0);
    return Number.isSafeInteger(number) ? number : this.bytes.readBigInt64BE(this.at - 8);
  }

  readDouble(): number {
    this.value(TType.DOUBLE);
    this.pass(8);
    return this.bytes.readDoubleBE(this.at - 8);
  }

  readString(): string {
    this.value(TType.STRING);
    const text = this.text(this.int32());
    // The turn has moved on: a value next means that this was a key.
    return this.turn === Turn.VALUE ? this.checkKey(text) : text;
  }

  protected skipScalar(type: number): void {
    const size = MINIMUM[type]!;
    if (size === 0) throw new ProtocolError(`unknown type ${type}`);
    this.value(type);
    this.pass(type === TType.STRING ? this.length(this.int32()) : size);
  }

  private byte(): number {
    this.pass(1);
    return this.bytes[this.at - 1]!;
  }

  private int32(): number {
    this.pass(4);
    const { bytes, at } = this;
    return (bytes[at - 4]! << 24) | (bytes[at - 3]! << 16) | (bytes[at - 2]! << 8) | bytes[at - 1]!;
  }

  private text(announced: number): string {
    const length = this.length(announced);
    this.pass(length);
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  private length(announced: number): number {
    if (announced < 0) throw new ProtocolError(`negative length ${announced}`, 'negative-size');
    return announced;
  }

  private pass(size: number): void {
    this.at += size;
    if (this.at > this.bytes.length) throw new ProtocolError('the body ends too early');
  }
}

/** Enough for the answer to a pulse. */
const FIRST_CHUNK = 256;
const LARGEST_CHUNK = 1024 * 1024;
/** Below this length a loop is faster than the call into native code. */
const SHORT_TEXT = 24;

export class BinaryWriter implements ProtocolWriter {
  readonly protocol = 'binary';
  private readonly full: Buffer[] = [];
  private chunk = Buffer.allocUnsafe(FIRST_CHUNK);
  private at = 0;
  /** Of a fork for keeping: what was written before the bytes that are in the chunks. */
  private kept: string[] | undefined;

  get isKept(): boolean {
    return this.kept !== undefined;
  }

  writeMessageBegin(name: string, type: number, seqid: number): void {
    this.writeI32(VERSION_1 | type);
    this.writeString(name);
    this.writeI32(seqid);
  }

  writeMessageEnd(): void {}
  writeStructBegin(_name: string): void {}
  writeStructEnd(): void {}

  writeFieldBegin(_name: string, type: number, id: number): void {
    this.room(3);
    const { chunk, at } = this;
    chunk[at] = type;
    chunk[at + 1] = id >> 8;
    chunk[at + 2] = id;
    this.at = at + 3;
  }

  writeFieldEnd(): void {}

  writeFieldStop(): void {
    this.byte(TType.STOP);
  }

  writeListBegin(elementType: number, size: number): void {
    this.byte(elementType);
    this.writeI32(size);
  }

  writeListEnd(): void {}

  writeSetBegin(elementType: number, size: number): void {
    this.writeListBegin(elementType, size);
  }

  writeSetEnd(): void {}

  writeMapBegin(keyType: number, valueType: number, size: number): void {
    this.byte(keyType);
    this.writeListBegin(valueType, size);
  }

  writeMapEnd(): void {}

  writeBool(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  writeI32(value: number): void {
    this.room(4);
    const { chunk, at } = this;
    chunk[at] = value >> 24;
    chunk[at + 1] = value >> 16;
    chunk[at + 2] = value >> 8;
    chunk[at + 3] = value;
    this.at = at + 4;
  }

  writeI64(value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.room(8);
      this.at = this.chunk.writeBigInt64BE(value, this.at);
      return;
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no i64`);
    this.writeI32(Math.floor(value / TWO_32));
    this.writeI32(value % TWO_32);
  }

  writeDouble(value: number): void {
    this.room(8);
    this.at = this.chunk.writeDoubleBE(value, this.at);
  }

  writeString(value: string): void {
    if (value.length <= SHORT_TEXT && this.shortAscii(value)) return;
    const length = Buffer.byteLength(value);
    this.writeI32(length);
    this.room(length);
    this.at += this.chunk.write(value, this.at, length, 'utf8');
  }

  writeEncodedStruct(piece: Encoded): void {
    const bytes = piece as Buffer;
    this.room(bytes.length);
    this.at += bytes.copy(this.chunk, this.at);
  }

  fork(): BinaryWriter {
    return new BinaryWriter();
  }

  encoded(): Encoded {
    return this.finish();
  }

  writePieces(pieces: Pieces): void {
    if (this.kept !== undefined) {
      this.cut(this.kept);
      this.kept.push(...pieces);
      return;
    }
    for (const piece of pieces) {
      this.room(piece.length);
      this.at += this.chunk.write(piece, this.at, 'latin1');
    }
  }

  forkForKeeping(): BinaryWriter {
    const fork = new BinaryWriter();
    fork.kept = [];
    return fork;
  }

  pieces(): Pieces {
    const kept = this.kept ?? [];
    this.cut(kept);
    return kept;
  }

  finish(): Buffer {
    const last = this.chunk.subarray(0, this.at);
    return this.full.length === 0 ? last : Buffer.concat([...this.full, last]);
  }

  parts(): readonly Buffer[] {
    return [...this.full, this.chunk.subarray(0, this.at)];
  }

  /** What the chunks hold becomes a text, and they are empty again. */
  private cut(kept: string[]): void {
    const bytes = this.finish();
    if (bytes.length > 0) kept.push(bytes.toString('latin1'));
    this.full.length = 0;
    this.at = 0;
  }

  /** False, with nothing written, when there is more than ASCII in it. */
  private shortAscii(value: string): boolean {
    const { length } = value;
    this.room(4 + length);
    const { chunk, at } = this;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      chunk[at + 4 + i] = code;
    }
    this.writeI32(length);
    this.at += length;
    return true;
  }

  private byte(value: number): void {
    this.room(1);
    this.chunk[this.at++] = value;
  }

  private room(size: number): void {
    if (this.at + size <= this.chunk.length) return;
    this.full.push(this.chunk.subarray(0, this.at));
    const next = Math.min(this.chunk.length * 2, LARGEST_CHUNK);
    this.chunk = Buffer.allocUnsafe(Math.max(next, size));
    this.at = 0;
  }
}
