/**
 * The protocol interface that the generated stubs call, our own errors and limits (design §4). The classes
 * of the thrift package are not used: they trust what they read.
 */

/** Type numbers of the Thrift wire formats. `BYTE` and `I16` occur only in fields that are skipped. */
export const TType = {
  STOP: 0,
  BOOL: 2,
  BYTE: 3,
  DOUBLE: 4,
  I16: 6,
  I32: 8,
  I64: 10,
  STRING: 11,
  STRUCT: 12,
  MAP: 13,
  SET: 14,
  LIST: 15,
} as const;

export const MessageType = { CALL: 1, REPLY: 2, EXCEPTION: 3 } as const;

/** Structs, lists, sets and maps inside each other; our IDL needs 12. */
export const MAX_DEPTH = 64;

/**
 * Fields and elements in one request; a pair of a map counts as two. 4 MiB of task ids are about 65,000,
 * and no other honest request comes near. Without a cap, 4 MiB of empty structs would become a hundred
 * times as much memory; with 250,000, the worst body held the event loop for a quarter of a second.
 */
export const MAX_VALUES = 100_000;

/**
 * A body that is no message, or whose arguments cannot be read. `negative-size` is told apart because the
 * wire contract answers it differently (wire.md §1.4, S3 and S8).
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  constructor(
    message: string,
    readonly kind: 'malformed' | 'negative-size' = 'malformed',
  ) {
    super(message);
  }
}

export interface MessageHeader {
  readonly name: string;
  readonly type: number;
  readonly seqid: number;
}

/** Field header as the stubs read it. A reader may hand out the same object each time. */
export interface FieldHeader {
  readonly ftype: number;
  readonly fid: number;
}

/** Header of a list, set or map as the stubs read it. */
export interface SizeHeader {
  readonly size: number;
}

/**
 * Reads one message. Every method throws ProtocolError for bytes that do not fit.
 * An i64 beyond 2^53 comes as a bigint, so that the converter can refuse it by its name.
 */
export interface ProtocolReader {
  readMessageBegin(): MessageHeader;
  readMessageEnd(): void;
  readStructBegin(): void;
  readStructEnd(): void;
  readFieldBegin(): FieldHeader;
  readFieldEnd(): void;
  readListBegin(): SizeHeader;
  readListEnd(): void;
  readSetBegin(): SizeHeader;
  readSetEnd(): void;
  readMapBegin(): SizeHeader;
  readMapEnd(): void;
  readBool(): boolean;
  readI32(): number;
  readI64(): number | bigint;
  readDouble(): number;
  readString(): string;
  skip(type: number): void;
}

export type ProtocolName = 'binary' | 'json';

/** What an encoded piece is kept as: bytes for TBinary, text for TJSON. */
export type Encoded = Buffer | string;

/**
 * A struct that is kept for long and spliced into many replies: its bytes in order, a character for each
 * (latin1), which is the smallest form they can be kept in. Texts that several structs have in common are
 * the same text, not copies.
 */
export type Pieces = readonly string[];

/** Writes one message, or with `fork` a piece that is spliced into several. */
export interface ProtocolWriter {
  readonly protocol: ProtocolName;
  /** What it writes is kept: see `forkForKeeping`. */
  readonly isKept: boolean;
  writeMessageBegin(name: string, type: number, seqid: number): void;
  writeMessageEnd(): void;
  writeStructBegin(name: string): void;
  writeStructEnd(): void;
  writeFieldBegin(name: string, type: number, id: number): void;
  writeFieldEnd(): void;
  writeFieldStop(): void;
  writeListBegin(elementType: number, size: number): void;
  writeListEnd(): void;
  writeSetBegin(elementType: number, size: number): void;
  writeSetEnd(): void;
  writeMapBegin(keyType: number, valueType: number, size: number): void;
  writeMapEnd(): void;
  writeBool(value: boolean): void;
  writeI32(value: number): void;
  /** @throws RangeError for a number that is no safe integer. */
  writeI64(value: number | bigint): void;
  writeDouble(value: number): void;
  writeString(value: string): void;
  /** Splices a struct that a fork wrote. */
  writeEncodedStruct(piece: Encoded): void;
  /** A writer of the same protocol for one struct. */
  fork(): ProtocolWriter;
  /** The struct that this fork wrote. */
  encoded(): Encoded;
  /** Splices a struct that a fork wrote for keeping. */
  writePieces(pieces: Pieces): void;
  /** A writer of the same protocol for one struct that is kept; pieces spliced into it are shared. */
  forkForKeeping(): ProtocolWriter;
  /** The struct that such a fork wrote. */
  pieces(): Pieces;
  /** The whole message. */
  finish(): Buffer;
  /** The same in parts of at most about a megabyte, which are not copied together. Never empty. */
  parts(): readonly Buffer[];
}
