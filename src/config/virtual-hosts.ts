/** `--virtual_hosts`: several hosts where there is one machine, to try placement and maintenance on. */
import { parseSize } from '../core/units.js';
import type { Kind } from './kinds.js';

export interface VirtualHost {
  readonly host: string;
  /** Without the attribute `host`, which every host has. */
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  /** Cores, MiB, MiB; what is not given is as the backend has it. */
  readonly total: { readonly cpus?: number; readonly ramMb?: number; readonly diskMb?: number };
}

const CAPACITIES = { cpus: 'cpus', ram: 'ramMb', disk: 'diskMb' } as const;
const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MIB = 1024 * 1024;

/** `a:rack=r1:cpus=4:ram=8GB:disk=50GB,b:rack=r2`; an attribute named twice has two values. */
export const virtualHosts: Kind<readonly VirtualHost[]> = {
  placeholder: '<host:attribute=value:cpus=4:ram=8GB:disk=9GB>,…',
  parse(value) {
    const hosts = value === '' ? [] : value.split(',').map((part) => virtualHost(part.trim()));
    const names = new Set<string>();
    for (const { host } of hosts) {
      if (names.has(host)) throw new Error(`there are two hosts "${host}"`);
      names.add(host);
    }
    return hosts;
  },
};

function virtualHost(text: string): VirtualHost {
  const [host = '', ...parts] = text.split(':');
  if (!HOST_NAME.test(host)) {
    throw new Error(
      `"${host}" in "${text}" is no host name: letters, digits, dots, dashes and underscores`,
    );
  }
  const attributes: Record<string, string[]> = {};
  const total: { cpus?: number; ramMb?: number; diskMb?: number } = {};
  for (const part of parts) {
    const fail = (problem: string): never => {
      throw new Error(`"${part}" of host "${host}" ${problem}`);
    };
    const [, name = '', value = ''] = /^([^=\s]+)=(.+)$/.exec(part) ?? fail('is not name=value');
    if (name === 'host') fail('cannot be: the attribute host is the name in front');
    if (Object.hasOwn(CAPACITIES, name)) {
      const member = CAPACITIES[name as keyof typeof CAPACITIES];
      if (total[member] !== undefined) fail('is there twice');
      total[member] = member === 'cpus' ? cores(value, fail) : mebibytes(value, fail);
    } else {
      const values = Object.hasOwn(attributes, name) ? (attributes[name] ?? []) : [];
      // As a member of its own even where it is called __proto__.
      Object.defineProperty(attributes, name, {
        ...{ value: [...new Set([...values, value])], enumerable: true },
        ...{ configurable: true, writable: true },
      });
    }
  }
  return { host, attributes, total };
}

function cores(value: string, fail: (problem: string) => never): number {
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
  return number > 0 ? number : fail('is no positive number of cores, such as 4 or 0.5');
}

function mebibytes(value: string, fail: (problem: string) => never): number {
  let bytes = 0;
  try {
    bytes = parseSize(value);
  } catch {
    fail('is no size, such as 8GB');
  }
  return bytes >= MIB ? Math.floor(bytes / MIB) : fail('is less than 1MB');
}
