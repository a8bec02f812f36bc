/**
 * Calls that come again and again with the same bytes but for the seqid: a monitor's pulses. What was read
 * from such a message once is remembered by its bytes, so that reading the next one is a look-up. Only for
 * methods that say so; arguments are immutable, and nothing about the caller is kept.
 */
import type { ProtocolName } from './protocol.js';

/** Longer messages are read each time: what is kept must stay small. */
const MAX_BYTES = 1_024;
/** Messages kept in each of two generations. */
const GENERATION = 10_000;

/** A message without its seqid. */
export interface Split {
  readonly rest: string;
  readonly seqid: number;
}

/** The seqid and all other bytes; undefined where a message is not in the one form that is looked for. */
export function splitMessage(body: Buffer, protocol: ProtocolName): Split | undefined {
  if (body.length > MAX_BYTES) return undefined;
  return protocol === 'binary' ? splitBinary(body) : splitJson(body);
}

const STRICT = 0x8001;

/** Strict TBinary: version and type, length and name, seqid, arguments. */
function splitBinary(body: Buffer): Split | undefined {
  if (body.length < 12 || body.readUInt16BE(0) !== STRICT) return undefined;
  const at = 8 + body.readUInt32BE(4);
  if (at + 4 > body.length) return undefined;
  const text = body.toString('latin1');
  return { rest: text.slice(0, at) + text.slice(at + 4), seqid: body.readInt32BE(at) };
}

/** `[1,"name",type,seqid,{…}]`: no method's name holds a comma. */
function splitJson(body: Buffer): Split | undefined {
  const text = body.toString('latin1');
  let before = -1;
  for (let comma = 0; comma < 3; comma++) {
    before = text.indexOf(',', before + 1);
    if (before < 0) return undefined;
  }
  const after = text.indexOf(',', before + 1);
  const digits = text.slice(before + 1, after);
  if (after < 0 || !/^-?\d{1,9}$/.test(digits)) return undefined;
  return { rest: text.slice(0, before) + text.slice(after), seqid: Number(digits) };
}

/** Values by message; the least lately added are forgotten when it is full. */
export class Repeats<T> {
  private young = new Map<string, T>();
  private old = new Map<string, T>();

  /** @param generation how many are kept in each of the two generations */
  constructor(private readonly generation = GENERATION) {}

  get(rest: string): T | undefined {
    const known = this.young.get(rest);
    if (known !== undefined) return known;
    const older = this.old.get(rest);
    if (older !== undefined) this.set(rest, older);
    return older;
  }

  set(rest: string, value: T): void {
    if (this.young.size >= this.generation) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(rest, value);
  }
}
