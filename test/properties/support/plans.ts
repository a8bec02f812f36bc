/**
 * Random worlds as data (fast-check): what jobs are updated how, what their users do, and what happens to
 * the machines they run on. Everything a run does follows from its plan.
 */
import fc from 'fast-check';
import type { UpdateStrategy } from '../../../src/core/model/update.js';
import type { Verb } from '../../../src/core/update/verbs.js';

/** How long users act and things go wrong; after it all heals and every update has to end. */
export const HORIZON_MS = 40_000;
export const HOSTS = ['host-a', 'host-b', 'host-c'] as const;

export type Mishap = 'failed' | 'finished' | 'lost' | 'unreachable' | 'killed';

/** One job, its updates one after the other, its monitor and its users. */
export interface WorldPlan {
  /** Of everything that is left to chance while the world runs. */
  readonly seed: number;
  /** Instances before the first update, without those in `holes`. */
  readonly initial: number;
  readonly holes: readonly number[];
  /** Instances the updates are to lead to, one update for each. */
  readonly targets: readonly number[];
  /** Only instances below it are to be updated; beyond `targets` it is no limit. */
  readonly scope: number;
  readonly strategy: UpdateStrategy;
  readonly maxPerInstanceFailures: number;
  readonly maxFailedInstances: number;
  readonly minWaitInRunningMs: number;
  readonly rollbackOnFailure: boolean;
  /** Of 100 tasks how many must run while one is killed; 0 for kills without an SLA. */
  readonly spared: number;
  /** P; 0 for an update that is not coordinated. */
  readonly pulseTimeoutMs: number;
  /** From pulse to pulse, in parts of P: some monitors are always late. */
  readonly pulseEvery: number;
  /** When the monitor is away. */
  readonly silences: readonly { readonly fromMs: number; readonly forMs: number }[];
  readonly verbs: readonly { readonly atMs: number; readonly verb: Verb }[];
  readonly mishaps: readonly { readonly atMs: number; readonly what: Mishap }[];
  /** Of 100 tasks how many fail by themselves. */
  readonly failing: number;
}

export type Trouble =
  /** The wall clock is set, to either side. */
  | {
      readonly what: 'step';
      readonly atMs: number;
      readonly hours: number;
      readonly silentMs: number;
    }
  | {
      readonly what: 'sleep';
      readonly atMs: number;
      readonly forMs: number;
      readonly silentMs: number;
    }
  /** The next transactions take this long at one point of their way; monitors do not wait for them. */
  | {
      readonly what: 'stall';
      readonly atMs: number;
      readonly forMs: number;
      readonly where: 'begin' | 'statement' | 'commit';
      readonly times: number;
      readonly pulses: boolean;
      /** Only those that act on a verdict of the gate; likewise below. */
      readonly gated: boolean;
    }
  /** The next transactions fail before their COMMIT. */
  | {
      readonly what: 'fail';
      readonly atMs: number;
      readonly times: number;
      readonly gated: boolean;
    }
  /** The answer to a COMMIT is lost, after or before it was done. */
  | { readonly what: 'cut' | 'lose'; readonly atMs: number }
  | { readonly what: 'restart'; readonly atMs: number }
  /** The process dies where its next transaction is. */
  | {
      readonly what: 'crash';
      readonly atMs: number;
      readonly where: 'begin' | 'statement' | 'commit';
      readonly gated: boolean;
    }
  | { readonly what: 'host'; readonly atMs: number; readonly host: number; readonly forMs: number };

/** Worlds that share a scheduler, a store, a clock and the trouble with them. */
export interface BatchPlan {
  readonly seed: number;
  /** D. */
  readonly commitDeadlineMs: number;
  /** Of the pool. With one, everything happens in the same order whenever the batch is run again. */
  readonly connections: number;
  readonly partitionAware: boolean;
  readonly flapping: boolean;
  readonly troubles: readonly Trouble[];
  readonly worlds: readonly WorldPlan[];
}

const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const atMs = fc.integer({ min: 1_000, max: HORIZON_MS });
const instances = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 8 }) },
  { weight: 1, arbitrary: fc.integer({ min: 8, max: 40 }) },
);

const groupSize = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 10 }) },
);

const strategy: fc.Arbitrary<UpdateStrategy> = fc.oneof(
  fc.record({ kind: fc.constant('queue' as const), groupSize }),
  fc.record({
    kind: fc.constant('batch' as const),
    groupSize,
    autopause: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('variable' as const),
    groupSizes: fc.array(groupSize, { minLength: 1, maxLength: 4 }),
    autopause: fc.boolean(),
  }),
);

const world: fc.Arbitrary<WorldPlan> = fc.record({
  seed,
  initial: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 6, arbitrary: instances }),
  holes: fc.array(fc.integer({ min: 0, max: 39 }), { maxLength: 3 }),
  targets: fc.array(instances, { minLength: 1, maxLength: 3 }),
  scope: fc.oneof(
    { weight: 4, arbitrary: fc.constant(1_000) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) },
  ),
  strategy,
  maxPerInstanceFailures: fc.integer({ min: 0, max: 2 }),
  maxFailedInstances: fc.integer({ min: 0, max: 4 }),
  minWaitInRunningMs: fc.constantFrom(0, 500, 1_000, 2_000, 5_000),
  rollbackOnFailure: fc.boolean(),
  spared: fc.constantFrom(0, 0, 0, 50, 90),
  pulseTimeoutMs: fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constant(30) },
    { weight: 5, arbitrary: fc.integer({ min: 500, max: 3_000 }) },
    { weight: 5, arbitrary: fc.integer({ min: 3_000, max: 15_000 }) },
  ),
  pulseEvery: fc.constantFrom(0.2, 0.4, 0.4, 0.8, 0.8, 0.95, 1, 1.1, 2),
  silences: fc.oneof(
    fc.constant([]),
    fc.array(fc.record({ fromMs: atMs, forMs: fc.integer({ min: 500, max: 15_000 }) }), {
      maxLength: 3,
    }),
  ),
  verbs: fc.array(
    fc.record({
      atMs,
      verb: fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom<Verb>('pause', 'resume') },
        { weight: 1, arbitrary: fc.constantFrom<Verb>('rollback', 'abort') },
      ),
    }),
    { maxLength: 5 },
  ),
  mishaps: fc.array(
    fc.record({
      atMs,
      what: fc.constantFrom<Mishap>('failed', 'finished', 'lost', 'unreachable', 'killed'),
    }),
    { maxLength: 5 },
  ),
  failing: fc.constantFrom(0, 0, 0, 5, 20, 60),
});

/** Whatever happens to clocks may happen to monitors too. */
const silentMs = fc.constantFrom(0, 2_000, 10_000);

const where = fc.constantFrom('begin' as const, 'statement' as const, 'commit' as const);

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('step' as const),
      atMs,
      hours: fc.constantFrom(-30, -5, -1, -0.01, 0.01, 1, 5, 30),
      silentMs,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('sleep' as const),
      atMs,
      forMs: fc.constantFrom(500, 1_500, 5_000, 60_000, 3_600_000),
      silentMs,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('stall' as const),
      atMs,
      forMs: fc.integer({ min: 50, max: 8_000 }),
      where,
      times: fc.integer({ min: 1, max: 4 }),
      pulses: fc.boolean(),
      gated: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('fail' as const),
      atMs,
      times: fc.integer({ min: 1, max: 6 }),
      gated: fc.boolean(),
    }),
  },
  fc.record({ what: fc.constantFrom('cut' as const, 'lose' as const), atMs }),
  fc.record({ what: fc.constant('restart' as const), atMs }),
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('crash' as const), atMs, where, gated: fc.boolean() }),
  },
  fc.record({
    what: fc.constant('host' as const),
    atMs,
    host: fc.integer({ min: 0, max: HOSTS.length - 1 }),
    forMs: fc.integer({ min: 1_000, max: 20_000 }),
  }),
);

function withoutRestarts(troubles: readonly Trouble[]): Trouble[] {
  return troubles.filter(({ what }) => what !== 'restart' && what !== 'crash');
}

/** `size` worlds on one scheduler. Unbiased: fast-check would begin with small ones, where little happens. */
export function batchOf(size: number): fc.Arbitrary<BatchPlan> {
  return fc.noBias(
    fc.record({
      seed,
      commitDeadlineMs: fc.constantFrom(300, 1_000, 2_500),
      connections: fc.constantFrom(1, 1, 12),
      partitionAware: fc.boolean(),
      flapping: fc.boolean(),
      troubles: fc.oneof(
        { weight: 2, arbitrary: fc.array(trouble, { minLength: 12, maxLength: 24 }) },
        // A restart looks at everything again, and so repairs what was forgotten.
        {
          weight: 1,
          arbitrary: fc.array(trouble, { minLength: 8, maxLength: 24 }).map(withoutRestarts),
        },
      ),
      worlds: fc.array(world, { minLength: size, maxLength: size }),
    }),
  );
}

/** Numbers that look random and follow from a seed: mulberry32. */
export class Dice {
  constructor(private state: number) {}

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  of<T>(choices: readonly T[]): T | undefined {
    return choices[this.below(choices.length)];
  }
}
