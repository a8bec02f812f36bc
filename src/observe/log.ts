/**
 * The process's log: JSON lines on standard output, with everything that is nobody's business blanked
 * before it is written (operations.md §1.6: `executorConfig` may hold secrets of the job's owner).
 */
import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';

/** Structured log; `log.child({ component: 'store' })` for a part of the program. */
export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level?: LogLevel;
  /** Where the lines go; standard output by default. */
  readonly destination?: DestinationStream;
}

export function createLog({ level = 'info', destination }: LogOptions = {}): Log {
  const options = {
    level,
    base: null, // process id and host are the log collector's to add
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (entry: Record<string, unknown>) => blank(entry, 0) as Record<string, unknown>,
    },
    serializers: {
      err: (error: Error) => blank({ ...stdSerializers.err(error) }, 0),
    },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** For tests and for parts that need no log. */
export const silentLog: Log = pino({ level: 'silent' });

export const BLANKED = 'BLANKED';

const SECRET_KEYS = new Set([
  'password',
  'authorization',
  'credentials',
  'zk_digest_credentials',
  'shiro_credentials',
]);
/** `scheme://user:password@host`: the part between the second colon and the @. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi;
/** Below that depth values are written as they are; nothing we log is nested so far. */
const MAX_DEPTH = 12;

/** Hides the password in every URL of `text`. */
export function withoutPasswords(text: string): string {
  return text.includes('://') ? text.replace(URL_PASSWORD, `$1${BLANKED}@`) : text;
}

/**
 * `value` with secrets replaced; the same object where there are none. An executor config keeps neither
 * name nor data, as in the reference's log.
 */
function blank(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutPasswords(value);
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const blanked = items.map((item) => blank(item, depth + 1));
    return blanked.some((item, index) => item !== items[index]) ? blanked : value;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value; // errors, dates, maps
  let copy: Record<string, unknown> | undefined;
  for (const [key, member] of Object.entries(value)) {
    const blanked = blankMember(key, member, depth);
    if (blanked === member) continue;
    copy ??= { ...value };
    copy[key] = blanked;
  }
  return copy ?? value;
}

function blankMember(key: string, member: unknown, depth: number): unknown {
  if (member === null || member === undefined) return member;
  if (key === 'executorConfig') return { name: BLANKED, data: BLANKED };
  if (SECRET_KEYS.has(key.toLowerCase())) return BLANKED;
  return blank(member, depth + 1);
}
