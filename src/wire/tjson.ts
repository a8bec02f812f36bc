/**
 * Thrift's JSON protocol, version 1 (wire.md §3.2), read straight from the bytes: no tree of the whole body
 * is built, so nothing is allocated before it has been counted. Blanks between tokens are accepted.
 */
import { BoundedReader, Turn } from './bounded-reader.js';
import {
  ProtocolError,
  TType,
  type FieldHeader,
  type MessageHeader,
  type ProtocolReader,
  type SizeHeader,
} from './protocol.js';

const [QUOTE, COMMA, MINUS, COLON, BACKSLASH] = [0x22, 0x2c, 0x2d, 0x3a, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const [ZERO, NINE] = [0x30, 0x39];
const FIRST_PRINTABLE = 0x20;
const CONTROL = /[\u0000-\u001f]/g;

/** Type names as three bytes in one number, the closing quote included for the short ones. */
const TYPE_NAMES: ReadonlyMap<number, number> = new Map(
  (
    [
      ['tf', TType.BOOL],
      ['i8', TType.BYTE],
      ['i16', TType.I16],
      ['i32', TType.I32],
      ['i64', TType.I64],
      ['dbl', TType.DOUBLE],
      ['str', TType.STRING],
      ['rec', TType.STRUCT],
      ['map', TType.MAP],
      ['lst', TType.LIST],
      ['set', TType.SET],
    ] as const
  ).map(([name, type]) => [Buffer.from(`${name}"`).readUIntBE(0, 3), type]),
);

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** `+`, `-`, `.`, `E`, `e`. */
const NUMBER_SIGNS: ReadonlySet<number> = new Set([0x2b, MINUS, 0x2e, 0x45, 0x65]);
/** Digits that always fit a double exactly; longer numbers take the way round by bigint. */
const EXACT_DIGITS = 15;
/** No i64 has more. */
const MOST_DIGITS = 19;
/** Bytes of the shortest element with the comma before it, and of the shortest pair of a map. */
const ELEMENT = 2;
const PAIR = 5;

export class JsonReader extends BoundedReader implements ProtocolReader {
  private at = 0;
  private firstField = true;
  private readonly field = { ftype: 0, fid: 0 };

  constructor(
    private readonly bytes: Buffer,
    maxValues?: number,
  ) {
    super(maxValues);
  }

  readMessageBegin(): MessageHeader {
    this.sign(OPEN_LIST);
    if (this.int(1) !== 1) throw new ProtocolError('no TJSON message of version 1');
    this.sign(COMMA);
    const name = this.string();
    this.sign(COMMA);
    const type = this.int(0x7f);
    this.sign(COMMA);
    const seqid = this.int(0x7fffffff);
    this.sign(COMMA);
    return { name, type, seqid };
  }

  readMessageEnd(): void {
    this.sign(CLOSE_LIST);
  }

  readStructBegin(): void {
    this.lead();
    this.begin(TType.STRUCT);
    this.sign(OPEN_OBJECT);
    this.firstField = true;
  }

  readStructEnd(): void {
    this.end();
  }

  readFieldBegin(): FieldHeader {
    const { field } = this;
    if (this.peek() === CLOSE_OBJECT) {
      this.at++;
      field.ftype = TType.STOP;
      return field;
    }
    this.count(1);
    if (!this.firstField) this.sign(COMMA);
    this.sign(QUOTE);
    field.fid = this.int(0x7fff);
    this.exact(QUOTE);
    this.sign(COLON);
    this.sign(OPEN_OBJECT);
    field.ftype = this.typeName();
    this.sign(COLON);
    return field;
  }

  readFieldEnd(): void {
    this.sign(CLOSE_OBJECT);
    this.firstField = false;
  }

  protected beginCollection(type: number): SizeHeader {
    this.lead();
    this.begin(type);
    this.sign(OPEN_LIST);
    const element = this.typeName();
    this.sign(COMMA);
    const size = this.int(0x7fffffff);
    this.sized(size, ELEMENT, this.bytes.length - this.at);
    this.element = this.following = element;
    return { size };
  }

  protected endCollection(): void {
    this.sign(CLOSE_LIST);
    this.end();
  }

  readMapBegin(): SizeHeader {
    this.lead();
    this.begin(TType.MAP);
    this.sign(OPEN_LIST);
    const key = this.typeName();
    this.sign(COMMA);
    const value = this.typeName();
    this.sign(COMMA);
    const size = this.int(0x7fffffff);
    this.sized(size, PAIR, this.bytes.length - this.at);
    this.count(size);
    if (key >= TType.STRUCT) throw new ProtocolError('keys that are no text or number');
    this.sign(COMMA);
    this.sign(OPEN_OBJECT);
    this.element = key;
    this.following = value;
    this.turn = Turn.FIRST_KEY;
    return { size };
  }

  readMapEnd(): void {
    this.sign(CLOSE_OBJECT);
    this.sign(CLOSE_LIST);
    this.end();
  }

  readBool(): boolean {
    return this.integer(TType.BOOL, 0x7f) !== 0;
  }

  readI32(): number {
    return this.integer(TType.I32, 0x7fffffff);
  }

  readI64(): number | bigint {
    const quoted = this.beginNumber(TType.I64);
    const value = this.wideInt();
    if (quoted) this.exact(QUOTE);
    return value;
  }

  readDouble(): number {
    const quoted = this.beginNumber(TType.DOUBLE);
    if (!quoted && this.peek() === QUOTE) {
      const word = this.string();
      if (word === 'NaN') return NaN;
      if (word === 'Infinity') return Infinity;
      if (word === '-Infinity') return -Infinity;
      throw new ProtocolError('a quoted number');
    }
    const start = this.at;
    while (isNumberByte(this.bytes[this.at])) this.at++;
    const text = this.bytes.toString('latin1', start, this.at);
    if (!JSON_NUMBER.test(text)) throw new ProtocolError('no number');
    if (quoted) this.exact(QUOTE);
    return Number(text);
  }

  readString(): string {
    this.lead();
    this.value(TType.STRING);
    const text = this.string();
    // The turn has moved on: a value next means that this was a key.
    return this.turn === Turn.VALUE ? this.checkKey(text) : text;
  }

  protected skipScalar(type: number): void {
    switch (type) {
      case TType.STRING:
        this.lead();
        this.value(type);
        this.string();
        return;
      case TType.DOUBLE:
        this.readDouble();
        return;
      case TType.I64:
        this.readI64();
        return;
      case TType.BOOL:
      case TType.BYTE:
        this.integer(type, 0x7f);
        return;
      case TType.I16:
        this.integer(type, 0x7fff);
        return;
      default:
        this.integer(type, 0x7fffffff);
    }
  }

  /** The sign before a value: a comma in a list, a colon or a comma in a map, none in a field. */
  private lead(): void {
    if (this.element === 0 || this.turn === Turn.FIRST_KEY) return;
    this.sign(this.turn === Turn.VALUE ? COLON : COMMA);
  }

  /** True for a number that is a map's key and therefore quoted. */
  private beginNumber(type: number): boolean {
    const isKey = this.turn === Turn.FIRST_KEY || this.turn === Turn.KEY;
    this.lead();
    this.value(type);
    if (isKey) this.sign(QUOTE);
    return isKey;
  }

  private integer(type: number, most: number): number {
    const quoted = this.beginNumber(type);
    const value = this.int(most);
    if (quoted) this.exact(QUOTE);
    return value;
  }

  private int(most: number): number {
    const value = this.wideInt();
    if (value > most || value < -most - 1) throw new ProtocolError('a number out of range');
    return Number(value);
  }

  private wideInt(): number | bigint {
    const { bytes } = this;
    const negative = this.peek() === MINUS;
    if (negative) this.at++;
    const start = this.at;
    let value = 0;
    let digit = bytes[this.at]! - ZERO;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digit = bytes[++this.at]! - ZERO;
    }
    const digits = this.at - start;
    // Leading zeros are no JSON, but npm's thrift writes -1 as -000000000001, and the reference reads it.
    if (digits === 0) throw new ProtocolError('no integer');
    if (digits <= EXACT_DIGITS) return negative ? 0 - value : value;
    if (digits > MOST_DIGITS) throw new ProtocolError('a number out of range');
    const exact = BigInt(bytes.toString('latin1', start, this.at)) * (negative ? -1n : 1n);
    if (BigInt.asIntN(64, exact) !== exact) throw new ProtocolError('a number out of range');
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  }

  /**
   * Control characters as they are stand for themselves: they are no JSON, but Apache's Python and npm's
   * thrift write them so, and the reference reads them.
   */
  private string(): string {
    this.sign(QUOTE);
    const { bytes } = this;
    const start = this.at;
    let at = start;
    let escaped = false;
    let control = false;
    let ascii = 0;
    for (;;) {
      const byte = bytes[at];
      if (byte === QUOTE) break;
      if (byte === undefined) throw new ProtocolError('the body ends too early');
      if (byte < FIRST_PRINTABLE) control = true;
      if (byte === BACKSLASH) {
        escaped = true;
        if (bytes[++at]! < FIRST_PRINTABLE) throw new ProtocolError('a broken escape');
      }
      ascii |= byte;
      at++;
    }
    this.at = at + 1;
    if (escaped) return unescape(bytes.toString('utf8', start - 1, at + 1), control);
    return bytes.toString(ascii < 0x80 ? 'latin1' : 'utf8', start, at);
  }

  private typeName(): number {
    this.sign(QUOTE);
    const { bytes, at } = this;
    const code = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = TYPE_NAMES.get(code);
    if (type === undefined) throw new ProtocolError('an unknown type');
    this.at = at + 3;
    if ((code & 0xff) !== QUOTE) this.exact(QUOTE);
    return type;
  }

  /** The next byte that is no blank, without passing it. */
  private peek(): number | undefined {
    const { bytes } = this;
    let byte = bytes[this.at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      byte = bytes[++this.at];
    }
    return byte;
  }

  private sign(byte: number): void {
    if (this.bytes[this.at] !== byte && this.peek() !== byte) {
      throw new ProtocolError(`${String.fromCharCode(byte)} is missing`);
    }
    this.at++;
  }

  /** A sign that no blank may precede. */
  private exact(byte: number): void {
    if (this.bytes[this.at] !== byte) {
      throw new ProtocolError(`${String.fromCharCode(byte)} is missing`);
    }
    this.at++;
  }
}

/** Digits, a point, signs, an exponent's letter. */
function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined || byte > 0x65) return false;
  return (byte >= ZERO && byte <= NINE) || NUMBER_SIGNS.has(byte);
}

function unescape(quoted: string, control: boolean): string {
  const text = control ? quoted.replace(CONTROL, escapeControl) : quoted;
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new ProtocolError('a broken escape');
  }
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
