/** Why a task may not run on a host (tasks.md §5.2, §5.3). */
import type { Constraint, TaskConfig } from '../model/config.js';
import type { Attributes, Host } from './host.js';
import { freePorts, portNames, requested } from './host.js';

/** Same shape as a backend's veto, so that both feed the pending reason. */
export interface Veto {
  readonly kind: 'resource' | 'constraint' | 'limit' | 'maintenance' | 'dedicated';
  /** Resource, constraint, or `draining`/`drained`; empty for `dedicated`. */
  readonly name: string;
  /** The higher, the farther is the host from taking the task. */
  readonly score: number;
}

const DEDICATED = 'dedicated';
const DEDICATED_SCORE = 1_000_000;
const MAINTENANCE_SCORE = 100_000;
const CONSTRAINT_SCORE = 10_000;
const MAX_RESOURCE_SCORE = 1000;

/** Sums and differences of cores are inexact: 1 − 0.9 is less than 0.1. */
const TOLERANCE = 1e-9;

function valuesOf(attributes: Attributes, name: string): readonly string[] {
  return Object.hasOwn(attributes, name) ? (attributes[name] ?? []) : [];
}

function dedicatedVeto(config: TaskConfig, host: Host): Veto | undefined {
  return valuesOf(host.attributes, DEDICATED).length > 0 &&
    config.constraints.every(({ name }) => name !== DEDICATED)
    ? { kind: 'dedicated', name: '', score: DEDICATED_SCORE }
    : undefined;
}

/** A host whose maintenance is only announced (SCHEDULED) still takes tasks, until it is close. */
function maintenanceVeto(
  { mode, unavailableFromMs = Infinity }: Host,
  horizonMs: number,
): Veto | undefined {
  if (mode === 'DRAINING' || mode === 'DRAINED')
    return { kind: 'maintenance', name: mode.toLowerCase(), score: MAINTENANCE_SCORE };
  return unavailableFromMs < horizonMs
    ? { kind: 'maintenance', name: 'draining', score: MAINTENANCE_SCORE }
    : undefined;
}

/** By list, then by attribute: hosts are asked one after the other with the same list, which may be long. */
const counted = new WeakMap<readonly Attributes[], Map<string, ReadonlyMap<string, number>>>();

/** How many of the tasks are on hosts with each value of an attribute. The list must never change. */
function countsOf(jobTasks: readonly Attributes[], name: string): ReadonlyMap<string, number> {
  let byName = counted.get(jobTasks);
  if (byName === undefined) counted.set(jobTasks, (byName = new Map()));
  const known = byName.get(name);
  if (known !== undefined) return known;
  const counts = new Map<string, number>();
  for (const task of jobTasks) {
    for (const value of new Set(valuesOf(task, name)))
      counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  byName.set(name, counts);
  return counts;
}

function constraintVeto(
  constraint: Constraint,
  attributes: Attributes,
  jobTasks: readonly Attributes[],
): Veto | undefined {
  const name = constraint.name ?? '';
  const present = valuesOf(attributes, name);
  const unsatisfied: Veto = { kind: 'constraint', name, score: CONSTRAINT_SCORE };
  const { value, limit } = constraint.constraint ?? {};
  if (value !== undefined) {
    const matches = value.values.some((wanted) => present.includes(wanted));
    return matches !== value.negated ? undefined : unsatisfied;
  }
  if (limit === undefined || present.length === 0) return unsatisfied;
  const counts = countsOf(jobTasks, name);
  const exhausted = present.some((v) => (counts.get(v) ?? 0) >= limit.limit);
  return exhausted ? { kind: 'limit', name, score: CONSTRAINT_SCORE } : undefined;
}

/** The first unsatisfied one; all value constraints come before all limits. */
function firstConstraintVeto(
  { constraints }: TaskConfig,
  { attributes }: Host,
  jobTasks: readonly Attributes[],
): Veto | undefined {
  const isLimit = ({ constraint }: Constraint) => constraint?.limit !== undefined;
  const ordered = [...constraints.filter((c) => !isLimit(c)), ...constraints.filter(isLimit)];
  for (const constraint of ordered) {
    const veto = constraintVeto(constraint, attributes, jobTasks);
    if (veto !== undefined) return veto;
  }
  return undefined;
}

/** The excess as a part of what hosts usually have, in thousandths. */
function resourceScore(excess: number, range: number): number {
  return Math.min(MAX_RESOURCE_SCORE, Math.trunc(Math.trunc(1000 * excess) / range));
}

function resourceVetoes(config: TaskConfig, { free, ports }: Host): Veto[] {
  const wanted = requested(config);
  const names = portNames(config);
  const rows = [
    ['CPU', wanted.cpus, free.cpus, 16],
    ['RAM', wanted.ramMb, free.ramMb, 24_576],
    ['disk', wanted.diskMb, free.diskMb, 460_800],
    ['ports', names.length, names.length === 0 ? 0 : freePorts(ports).length, 1000],
    ['GPU', wanted.gpus, free.gpus ?? 0, 4],
    ['IP', wanted.ips, free.ips ?? 0, 128],
  ] as const;
  // What is not asked for cannot be missing, even on a host with less than nothing left.
  return rows
    .filter(([, want, have]) => want - have > TOLERANCE && want > 0)
    .map(([name, want, have, range]) => ({
      kind: 'resource',
      name,
      score: resourceScore(want - have, range),
    }));
}

/**
 * What keeps a task off a host; empty when it may run there. The first kind of check that vetoes ends the
 * search, and only missing resources yield more than one veto.
 *
 * @param jobTasks attributes of the hosts of this job's tasks that hold a host, one entry for each task
 * @param horizonMs hosts that become unavailable before this (wall ms) are as good as draining:
 *   now + `-unavailability_threshold`
 */
export function vetoes(
  config: TaskConfig,
  host: Host,
  jobTasks: readonly Attributes[],
  horizonMs = -Infinity,
): readonly Veto[] {
  const veto =
    dedicatedVeto(config, host) ??
    maintenanceVeto(host, horizonMs) ??
    firstConstraintVeto(config, host, jobTasks);
  return veto === undefined ? resourceVetoes(config, host) : [veto];
}

/** How long a set of vetoes holds: STATIC until the host changes, DYNAMIC until other tasks change. */
export type VetoGroup = 'EMPTY' | 'STATIC' | 'DYNAMIC' | 'MIXED';

export function vetoGroup(set: readonly Pick<Veto, 'kind'>[]): VetoGroup {
  if (set.length === 0) return 'EMPTY';
  const limits = set.filter(({ kind }) => kind === 'limit').length;
  if (limits === 0) return 'STATIC';
  return limits === set.length ? 'DYNAMIC' : 'MIXED';
}
