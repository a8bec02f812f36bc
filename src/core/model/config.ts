/**
 * Task and job configurations as plain records: the IDL's field names, enums as names, unset stays
 * undefined where the IDL leaves strings, structs and unions unset, and everything else is present
 * (rpc.md §2: primitives default to 0 or false, collections to empty). `wire/` builds them that way.
 */
import type { JobKey } from './keys.js';
import type { Range } from './ranges.js';

export interface Identity {
  readonly user?: string;
}

export interface Metadata {
  readonly key?: string;
  readonly value?: string;
}

export interface ExecutorConfig {
  readonly name?: string;
  /** Opaque text, kept byte for byte. */
  readonly data?: string;
}

/** A union: exactly one member is set. Units: cores, MiB, MiB, port name, devices, addresses. */
export interface Resource {
  readonly numCpus?: number;
  readonly ramMb?: number;
  readonly diskMb?: number;
  readonly namedPort?: string;
  readonly numGpus?: number;
  readonly ipAddr?: number;
}

export interface TaskConstraint {
  readonly value?: { readonly negated: boolean; readonly values: readonly string[] };
  readonly limit?: { readonly limit: number };
}

export interface Constraint {
  readonly name?: string;
  readonly constraint?: TaskConstraint;
}

export interface MesosFetcherUri {
  readonly value?: string;
  readonly extract: boolean;
  readonly cache: boolean;
  readonly outputFile?: string;
}

export interface PartitionPolicy {
  readonly reschedule: boolean;
  readonly delaySecs: number;
}

/** A union: exactly one member is set. */
export interface SlaPolicy {
  readonly percentageSlaPolicy?: { readonly percentage: number; readonly durationSecs: number };
  readonly countSlaPolicy?: { readonly count: number; readonly durationSecs: number };
  readonly coordinatorSlaPolicy?: { readonly coordinatorUrl?: string; readonly statusKey?: string };
}

export interface Volume {
  readonly containerPath?: string;
  readonly hostPath?: string;
  readonly mode?: 'RW' | 'RO';
}

export interface Image {
  readonly docker?: { readonly name?: string; readonly tag?: string };
  readonly appc?: { readonly name?: string; readonly imageId?: string };
}

/** A union: exactly one member is set; the IDL's default is an empty Mesos container. */
export interface Container {
  readonly mesos?: { readonly image?: Image; readonly volumes: readonly Volume[] };
  readonly docker?: {
    readonly image?: string;
    readonly parameters: readonly { readonly name?: string; readonly value?: string }[];
  };
}

export interface TaskConfig {
  readonly job: JobKey;
  readonly owner?: Identity;
  readonly isService: boolean;
  readonly priority: number;
  readonly maxTaskFailures: number;
  readonly production: boolean;
  readonly tier?: string;
  readonly resources: readonly Resource[];
  readonly constraints: readonly Constraint[];
  readonly mesosFetcherUris: readonly MesosFetcherUri[];
  readonly taskLinks: Readonly<Record<string, string>>;
  readonly contactEmail?: string;
  readonly executorConfig?: ExecutorConfig;
  readonly metadata: readonly Metadata[];
  readonly partitionPolicy?: PartitionPolicy;
  readonly slaPolicy?: SlaPolicy;
  readonly container?: Container;
}

export interface JobConfiguration {
  readonly key?: JobKey;
  readonly owner?: Identity;
  /** Set, even to the empty string, means a cron job. */
  readonly cronSchedule?: string;
  readonly cronCollisionPolicy?: 'KILL_EXISTING' | 'CANCEL_NEW' | 'RUN_OVERLAP';
  readonly taskConfig?: TaskConfig;
  readonly instanceCount: number;
}

/** A task config beside its identity: equal hashes mean equal configs (design D11). */
export interface StoredConfig {
  readonly hash: string;
  readonly config: TaskConfig;
}

/** Instances that share one config, as ranges. */
export interface ConfigGroup {
  readonly config: TaskConfig;
  readonly instances: readonly Range[];
}

/** Fields the IDL declares as sets (or maps, which JSON objects already are): order means nothing. */
const SET_FIELDS: ReadonlySet<string> = new Set([
  'resources',
  'constraints',
  'mesosFetcherUris',
  'metadata',
  'values',
]);

function canonicalValue(value: unknown, isSet: boolean): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => canonicalValue(item, false));
    if (!isSet) return items;
    const texts = new Map(items.map((item) => [JSON.stringify(item), item] as const));
    return [...texts.entries()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, v]) => v);
  }
  if (typeof value === 'object' && value !== null) {
    const record = value as Record<string, unknown>;
    // A null prototype, so that a map key such as `__proto__` is a key like any other.
    const sorted = Object.create(null) as Record<string, unknown>;
    for (const name of Object.keys(record).sort()) {
      const member = record[name];
      if (member !== undefined) sorted[name] = canonicalValue(member, SET_FIELDS.has(name));
    }
    return sorted;
  }
  return value;
}

/**
 * One text for each config up to equality: names sorted, sets sorted and without duplicates, lists in
 * their order, unset fields absent. `executorConfig.data` is a plain string in it, byte for byte.
 */
export function canonicalConfig(config: TaskConfig): string {
  return JSON.stringify(canonicalValue(config, false));
}

/** The same for a set of anything: equal texts mean equal sets. */
export function canonicalSet(items: readonly unknown[]): string {
  return JSON.stringify(canonicalValue(items, true));
}
