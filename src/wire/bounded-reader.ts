/** What both readers keep an eye on while they read, and how both skip what nobody asked for. */
import { RefusedError } from '../core/errors.js';
import {
  MAX_DEPTH,
  MAX_VALUES,
  ProtocolError,
  TType,
  type FieldHeader,
  type SizeHeader,
} from './protocol.js';

/** Where in a map the reader stands. A list has no turns. */
export const Turn = { NONE: 0, FIRST_KEY: 1, VALUE: 2, KEY: 3 } as const;

/**
 * Bounds that hold whatever the bytes say: depth, number of values, sizes against the bytes received, and
 * elements of the type their collection announced. (Of a field's value the stub itself compares the type.)
 */
export abstract class BoundedReader {
  private values = 0;
  /** The type the next value must have; 0 where it is a field's. */
  protected element = 0;
  /** The type of the value after it: the same in a list, key and value by turns in a map. */
  protected following = 0;
  protected turn: number = Turn.NONE;
  /** `element`, `following` and `turn` of every collection and struct around this one. */
  private readonly outer: number[] = [];

  /** @param maxValues a request's bound, unless more is expected of whoever sends */
  constructor(private readonly maxValues: number = MAX_VALUES) {}

  /** Called before anything is allocated for these values. */
  protected count(values: number): void {
    this.values += values;
    if (this.values > this.maxValues) {
      throw new ProtocolError(`more than ${this.maxValues} values`);
    }
  }

  /** A value of this type comes next. */
  protected value(type: number): void {
    const { element } = this;
    if (element === 0) return;
    if (element !== type) throw new ProtocolError(`type ${element} where ${type} belongs`);
    this.element = this.following;
    this.following = element;
    if (this.turn !== Turn.NONE) this.turn = this.turn === Turn.VALUE ? Turn.KEY : Turn.VALUE;
  }

  protected begin(type: number): void {
    this.value(type);
    const { outer } = this;
    if (outer.length >= 3 * MAX_DEPTH) throw new ProtocolError('nested too deeply');
    outer.push(this.element, this.following, this.turn);
    this.element = this.following = 0;
    this.turn = Turn.NONE;
  }

  protected end(): void {
    // Begun before it is ended, so there are three.
    this.turn = this.outer.pop() as number;
    this.following = this.outer.pop() as number;
    this.element = this.outer.pop() as number;
  }

  /**
   * Takes note of a collection's header, after comparing its size with the bytes that are left.
   * @param perElement what one element, or one pair of a map, takes at least; 0 for no known type
   */
  protected sized(size: number, perElement: number, left: number): void {
    if (size < 0) throw new ProtocolError(`negative size ${size}`, 'negative-size');
    if (size === 0) return;
    if (perElement === 0) throw new ProtocolError('elements of an unknown type');
    if (size * perElement > left) throw new ProtocolError('a size beyond the end of the body');
    this.count(size);
  }

  /**
   * A string that the stubs may use as a key of a plain object, in which `__proto__` would vanish.
   * @throws RefusedError for that one name.
   */
  protected checkKey(key: string): string {
    if (key === '__proto__') {
      throw new RefusedError('INVALID_REQUEST', 'a map must not have the key __proto__');
    }
    return key;
  }

  protected abstract beginCollection(type: number): SizeHeader;
  protected abstract endCollection(): void;
  abstract readStructBegin(): void;
  abstract readStructEnd(): void;
  abstract readFieldBegin(): FieldHeader;
  abstract readFieldEnd(): void;
  abstract readMapBegin(): SizeHeader;
  abstract readMapEnd(): void;
  /** Skips one value of a type that is no struct or collection. */
  protected abstract skipScalar(type: number): void;

  readListBegin(): SizeHeader {
    return this.beginCollection(TType.LIST);
  }

  readListEnd(): void {
    this.endCollection();
  }

  readSetBegin(): SizeHeader {
    return this.beginCollection(TType.SET);
  }

  readSetEnd(): void {
    this.endCollection();
  }

  /** Skips a value, checking it as if it were read. */
  skip(type: number): void {
    switch (type) {
      case TType.STRUCT:
        this.readStructBegin();
        for (;;) {
          const { ftype } = this.readFieldBegin();
          if (ftype === TType.STOP) break;
          this.skip(ftype);
          this.readFieldEnd();
        }
        return this.readStructEnd();
      case TType.LIST:
      case TType.SET: {
        const { size } = this.beginCollection(type);
        const { element } = this;
        for (let i = 0; i < size; i++) this.skip(element);
        return this.endCollection();
      }
      case TType.MAP: {
        const { size } = this.readMapBegin();
        const { element: key, following: value } = this;
        for (let i = 0; i < size; i++) {
          this.skip(key);
          this.skip(value);
        }
        return this.readMapEnd();
      }
      default:
        return this.skipScalar(type);
    }
  }
}
