/**
 * Has the generated stubs read a method's arguments. The argument classes are private to the generated
 * file, so its processor is given a handler that takes the arguments and does nothing else; the reply is
 * never left to it (design §4).
 */
import type { ProtocolReader } from './protocol.js';
import type { MethodSchema } from './schema.js';

/** A generated `Processor` class. */
export type ProcessorClass = new (handler: never) => object;

/** Reads the arguments up to the end of the message, in the order of declaration; unset ones are null. */
export type ArgumentReader = (input: ProtocolReader) => readonly unknown[];

type ProcessMethod = (this: object, seqid: number, input: ProtocolReader, output: object) => void;

const NO_OUTPUT: object = Object.freeze({});

/**
 * A reader for each of the methods. What it throws is what the protocol's reader throws.
 * @throws Error when the stubs have no such method: they and the IDL do not match.
 */
export function argumentReaders(
  Processor: ProcessorClass,
  methods: ReadonlyMap<string, MethodSchema>,
): ReadonlyMap<string, ArgumentReader> {
  let taken: readonly unknown[] = [];
  const handler: Record<string, (...values: unknown[]) => void> = {};
  // Processors call back a handler whose number of parameters differs from the number of arguments.
  const withArguments = (...values: unknown[]): void => {
    taken = values;
  };
  const withoutArguments = (_callback: unknown): void => {
    taken = [];
  };
  const processor = new Processor(handler as never) as Record<string, ProcessMethod | undefined>;
  const readers = new Map<string, ArgumentReader>();
  for (const { name, args } of methods.values()) {
    handler[name] = args.length === 0 ? withoutArguments : withArguments;
    const process = processor[`process_${name}`];
    if (process === undefined) throw new Error(`the stubs have no method ${name}`);
    readers.set(name, (input) => {
      process.call(processor, 0, input, NO_OUTPUT);
      return taken;
    });
  }
  return readers;
}
