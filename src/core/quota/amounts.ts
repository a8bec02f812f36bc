/** The three resources quota counts (rpc.md §9), and arithmetic on them. */
import type { Resource } from '../model/config.js';
import { requested } from '../schedule/host.js';
import type { Refusal, Validated } from '../validate/refusals.js';
import { error, invalid } from '../validate/refusals.js';

/** Cores, MiB, MiB. */
export interface QuotaAmounts {
  readonly cpus: number;
  readonly ramMb: number;
  readonly diskMb: number;
}

export const NOTHING: QuotaAmounts = { cpus: 0, ramMb: 0, diskMb: 0 };

/** How each is called in messages, and by the union Resource. */
export const QUOTA_RESOURCES = [
  { key: 'cpus', member: 'numCpus', name: 'CPU', unit: 'core(s)' },
  { key: 'ramMb', member: 'ramMb', name: 'RAM', unit: 'MB' },
  { key: 'diskMb', member: 'diskMb', name: 'disk', unit: 'MB' },
] as const;

function combine(
  a: QuotaAmounts,
  b: QuotaAmounts,
  how: (a: number, b: number) => number,
): QuotaAmounts {
  return {
    cpus: how(a.cpus, b.cpus),
    ramMb: how(a.ramMb, b.ramMb),
    diskMb: how(a.diskMb, b.diskMb),
  };
}

export function plus(a: QuotaAmounts, b: QuotaAmounts): QuotaAmounts {
  return combine(a, b, (x, y) => x + y);
}

export function minus(a: QuotaAmounts, b: QuotaAmounts): QuotaAmounts {
  return combine(a, b, (x, y) => x - y);
}

/** The larger of the two, resource by resource. */
export function larger(a: QuotaAmounts, b: QuotaAmounts): QuotaAmounts {
  return combine(a, b, Math.max);
}

/** What so many tasks with these resources take; ports, GPUs and addresses are not counted. */
export function amountsOf(
  { resources }: { readonly resources: readonly Resource[] },
  count: number,
): QuotaAmounts {
  const { cpus, ramMb, diskMb } = requested({ resources });
  return { cpus: cpus * count, ramMb: ramMb * count, diskMb: diskMb * count };
}

/** A client's ResourceAggregate, as the IDL's struct. */
export interface ApiAggregate {
  readonly resources: readonly Resource[];
}

/** The aggregate of some amounts: always the same three members, i64 ones truncated and within 2^53. */
export function aggregateOf(amounts: QuotaAmounts): ApiAggregate {
  const whole = (amount: number): number => Math.min(Math.trunc(amount), Number.MAX_SAFE_INTEGER);
  return {
    resources: [
      { numCpus: Math.min(amounts.cpus, Number.MAX_VALUE) },
      { ramMb: whole(amounts.ramMb) },
      { diskMb: whole(amounts.diskMb) },
    ],
  };
}

/**
 * The amounts setQuota was given (rpc.md §12): ERROR for a missing aggregate or one that is not exactly a
 * number of CPUs, a size of RAM and one of disk; INVALID_REQUEST for a negative one.
 */
export function amountsFromApi(aggregate: ApiAggregate | undefined): Validated<QuotaAmounts> {
  if (aggregate === undefined) return { refusal: error('quota must be set') };
  const problem = membersProblem(aggregate.resources);
  if (problem !== undefined) return { refusal: problem };
  const amounts = amountsOf(aggregate, 1);
  const negative = QUOTA_RESOURCES.find(({ key }) => amounts[key] < 0);
  return negative === undefined
    ? { ok: amounts }
    : { refusal: invalid(`quota.resources: ${negative.member} must not be negative`) };
}

function membersProblem(resources: readonly Resource[]): Refusal | undefined {
  const members = resources.flatMap((resource) => Object.keys(resource));
  const expected = QUOTA_RESOURCES.map(({ member }) => member);
  return members.length === expected.length && expected.every((member) => members.includes(member))
    ? undefined
    : error(
        `quota.resources must be exactly one each of ${expected.join(', ')}, ` +
          `it has ${members.length === 0 ? 'none' : members.slice(0, 10).join(', ')}`,
      );
}
