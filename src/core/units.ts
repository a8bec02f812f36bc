/** Times and sizes as flags write them (operations.md §5.1): digits and a unit, nothing between. */

/** A text that is no time or no size; the message says what would be one. */
export class UnitError extends Error {
  override readonly name = 'UnitError';
}

/** Nanoseconds, as integers: a time such as 999999us must not depend on rounding. */
const TIME_UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['ms', 1_000_000n],
  ['secs', 1_000_000_000n],
  ['mins', 60n * 1_000_000_000n],
  ['hrs', 3_600n * 1_000_000_000n],
  ['days', 86_400n * 1_000_000_000n],
]);
const NANOS_IN_MILLI = 1_000_000n;

/** Bytes; each unit is 1024 of the one before. */
const SIZE_UNITS: ReadonlyMap<string, bigint> = new Map([
  ['B', 1n],
  ['KB', 1n << 10n],
  ['MB', 1n << 20n],
  ['GB', 1n << 30n],
  ['TB', 1n << 40n],
  ['PB', 1n << 50n],
]);

function parseAmount(
  text: string,
  what: string,
  example: string,
  units: ReadonlyMap<string, bigint>,
): bigint {
  const [, digits, unit] = /^(\d+)([A-Za-z]+)$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units.get(unit);
  if (digits === undefined || factor === undefined) {
    const known = [...units.keys()].join(', ');
    throw new UnitError(
      `"${text}" is no ${what}: digits and one of ${known} are needed, as in ${example}`,
    );
  }
  return BigInt(digits) * factor;
}

function safeNumber(amount: bigint, text: string, what: string): number {
  if (amount > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new UnitError(`"${text}" is too large for a ${what}`);
  }
  return Number(amount);
}

/** `5mins`, `30secs`, `100ms` … in whole ms; what is below one ms is dropped. @throws UnitError */
export function parseDuration(text: string): number {
  const nanos = parseAmount(text, 'time', '5mins', TIME_UNITS);
  return safeNumber(nanos / NANOS_IN_MILLI, text, 'time');
}

/** `4MB`, `512KB` … in bytes. @throws UnitError */
export function parseSize(text: string): number {
  return safeNumber(parseAmount(text, 'size', '4MB', SIZE_UNITS), text, 'size');
}
