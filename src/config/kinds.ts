/** What a flag's value can be: how its text is read, and what help calls it (operations.md §5.1). */
import { parseDuration, parseSize } from '../core/units.js';

export interface Kind<T> {
  /** Stands for the value in help texts, e.g. `<time>`. */
  readonly placeholder: string;
  /** Reads the text. @throws Error whose message completes "--flag: ". */
  parse(text: string): T;
  /** A flag without a value means true. */
  readonly bare?: true;
}

/** Any text with something in it. */
export const text: Kind<string> = {
  placeholder: '<text>',
  parse(value) {
    if (value.trim() === '') throw new Error('must not be blank');
    return value;
  },
};

export const textOrBlank: Kind<string> = { placeholder: '<text>', parse: (value) => value };

export const path: Kind<string> = { ...text, placeholder: '<path>' };

export const bool: Kind<boolean> = {
  placeholder: 'true|false',
  bare: true,
  parse(value) {
    if (value === 'true') return true;
    if (value === 'false') return false;
    throw new Error(`"${value}" is neither true nor false`);
  },
};

/** A whole number of at least `min`, at most `max`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    placeholder: '<number>',
    parse(value) {
      const number = /^[+-]?\d+$/.test(value) ? Number(value) : NaN;
      if (number >= min && number <= max) return number;
      const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
      throw new Error(`"${value}" is not a whole number of ${range}`);
    },
  };
}

/** A positive number, fractions allowed. */
export const positive: Kind<number> = {
  placeholder: '<number>',
  parse(value) {
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
    if (number > 0) return number;
    throw new Error(`"${value}" is not a positive number`);
  },
};

/** Milliseconds, written as `5mins`; at least `minMs`. */
export function duration(minMs = 0): Kind<number> {
  return {
    placeholder: '<time>',
    parse(value) {
      const ms = parseDuration(value);
      if (ms < minMs) throw new Error(`"${value}" is less than ${minMs}ms`);
      return ms;
    },
  };
}

/** Bytes, written as `4MB`. */
export const size: Kind<number> = {
  placeholder: '<size>',
  parse(value) {
    const bytes = parseSize(value);
    if (bytes < 1) throw new Error(`"${value}" leaves room for nothing`);
    return bytes;
  },
};

/** One of `values`; a synonym stands for the value it is mapped to. */
export function oneOf<const V extends string>(
  values: readonly V[],
  synonyms: Readonly<Record<string, V>> = {},
): Kind<V> {
  return {
    placeholder: values.join('|'),
    parse(value) {
      const found = values.find((known) => known === value);
      if (found !== undefined) return found;
      const meant = Object.hasOwn(synonyms, value) ? synonyms[value] : undefined;
      if (meant !== undefined) return meant;
      throw new Error(`"${value}" is none of ${values.join(', ')}`);
    },
  };
}

/** Comma-separated; the empty text is the empty list. */
export function list<T>(item: Kind<T>): Kind<readonly T[]> {
  return {
    placeholder: `${item.placeholder},…`,
    parse: (value) => (value === '' ? [] : value.split(',').map((part) => item.parse(part.trim()))),
  };
}

/** Matches the whole of a text or not at all; `text` is the expression as it was given. */
export interface WholeMatch extends RegExp {
  readonly text: string;
}

export const wholeMatch: Kind<WholeMatch> = {
  placeholder: '<regex>',
  parse(value) {
    try {
      return Object.assign(new RegExp(`^(?:${value})$`), { text: value });
    } catch (error) {
      throw new Error(`"${value}" is no regular expression (${(error as Error).message})`);
    }
  },
};

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port`; an IPv6 address in brackets. */
export const hostPort: Kind<HostPort> = {
  placeholder: '<host:port>',
  parse(value) {
    const [, inBrackets, plain, digits] =
      /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(value) ?? [];
    const host = inBrackets ?? plain;
    const port = Number(digits);
    if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
    throw new Error(`"${value}" is not host:port`);
  },
};

export interface PortRange {
  readonly first: number;
  /** Included. */
  readonly last: number;
}

/** `31000-32000`, both ends included. */
export const portRange: Kind<PortRange> = {
  placeholder: '<first-last>',
  parse(value) {
    const [, a, b] = /^(\d{1,5})-(\d{1,5})$/.exec(value) ?? [];
    const [first, last] = [Number(a), Number(b)];
    if (first >= 1 && last <= 65_535 && first <= last) return { first, last };
    throw new Error(`"${value}" is not a range of ports such as 31000-32000`);
  },
};

/** `name=value`; further equals signs belong to the value. */
export const parameter: Kind<{ readonly name: string; readonly value: string }> = {
  placeholder: '<name=value>',
  parse(value) {
    const [, name, rest] = /^([^=]+)=(.*)$/s.exec(value) ?? [];
    if (name === undefined || rest === undefined) throw new Error(`"${value}" is not name=value`);
    return { name, value: rest };
  },
};

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly mode: 'RO' | 'RW';
}

/** `host_path:container_path:ro` or `…:rw`. */
export const mount: Kind<Mount> = {
  placeholder: '<host:container:mode>',
  parse(value) {
    const [, hostPath, containerPath, mode] = /^([^:]+):([^:]+):(ro|rw)$/i.exec(value) ?? [];
    if (hostPath === undefined || containerPath === undefined) {
      throw new Error(`"${value}" is not host_path:container_path:ro (or :rw)`);
    }
    return { hostPath, containerPath, mode: mode?.toUpperCase() === 'RW' ? 'RW' : 'RO' };
  },
};

/** The name of a time zone, e.g. `GMT` or `Europe/Berlin`. */
export const timeZone: Kind<string> = {
  placeholder: '<zone>',
  parse(value) {
    try {
      new Intl.DateTimeFormat('en', { timeZone: value });
      return value;
    } catch {
      throw new Error(`"${value}" is no time zone this Node.js knows`);
    }
  },
};

/** URL of a Postgres database; may hold a password. */
export const databaseUrl: Kind<string> = {
  placeholder: '<url>',
  parse(value) {
    // Not echoed: it may hold a password.
    if (/^postgres(ql)?:\/\//.test(value) && URL.canParse(value)) return value;
    throw new Error('not a URL like postgresql://user:password@host:5432/database');
  },
};
