/** The one-way updater against a second one that takes §3.4 and §3.5 word by word, without regard to cost. */
import fc from 'fast-check';
import type { UpdateStrategy } from '../../../src/core/model/update.js';
import type { InstanceStatus } from '../../../src/core/update/one-way-updater.js';
import { advance, newUpdater } from '../../../src/core/update/one-way-updater.js';
import type { Direction } from '../../../src/core/update/ordering.js';
import { span } from './builders.js';
import type { Answer, Answers } from './scripted.js';
import { ask } from './scripted.js';

const ANSWERS: readonly Answer[] = ['ADD', 'KILL', 'WAIT', 'WATCH', 'SUCCEEDED', 'FAILED'];

interface Setup {
  readonly direction: Direction;
  readonly strategy: UpdateStrategy;
  readonly maxFailedInstances: number;
  readonly order: readonly number[];
  readonly previouslyFailed: readonly number[];
}

type Status = 'IDLE' | InstanceStatus;

class Literal {
  readonly statuses = new Map<number, Status>();
  effects: string[] = [];

  constructor(readonly setup: Setup) {
    for (const id of setup.order) this.statuses.set(id, 'IDLE');
  }

  those(status: Status): number[] {
    return this.setup.order.filter((id) => this.statuses.get(id) === status);
  }

  status(): 'WORKING' | 'SUCCEEDED' | 'FAILED' {
    if (this.those('FAILED').length > this.setup.maxFailedInstances) return 'FAILED';
    const open = this.those('IDLE').length + this.those('WORKING').length;
    return open === 0 ? 'SUCCEEDED' : 'WORKING';
  }

  /** The bounds of the forward groups: how many instances are done after each. */
  private bounds(sizes: readonly number[]): number[] {
    const total = this.setup.order.length;
    const bounds = [0];
    for (let n = 0; (bounds[n] ?? 0) < total; n++) {
      bounds.push((bounds[n] ?? 0) + (sizes[Math.min(n, sizes.length - 1)] ?? 0));
    }
    return bounds;
  }

  private group(): number[] {
    const idle = this.those('IDLE');
    const active = this.those('WORKING');
    const { strategy, direction, order } = this.setup;
    if (strategy.kind === 'queue')
      return idle.slice(0, Math.max(0, strategy.groupSize - active.length));
    if (active.length > 0) return [];
    if (strategy.kind === 'batch') return idle.slice(0, strategy.groupSize);
    const bounds = this.bounds(strategy.groupSizes);
    if (direction === 'forward') {
      const done = order.length - idle.length;
      return idle.slice(0, (bounds.find((bound) => bound > done) ?? done) - done);
    }
    // Backwards, the bound below what is left is where the group ends.
    const below = bounds.filter((bound) => bound < idle.length).pop() ?? 0;
    return idle.slice(0, idle.length - below);
  }

  private evaluateOne(id: number, answer: Answer, passed: string): boolean {
    const isFinal = answer === 'SUCCEEDED' || answer === 'FAILED';
    this.statuses.set(id, isFinal ? answer : 'WORKING');
    this.effects.push(`${id}${passed} ${answer}`);
    return !isFinal;
  }

  evaluate(changed: Answers, idle: Answers): void {
    this.effects = [];
    for (const [key, answer] of Object.entries(changed)) {
      const id = Number(key);
      if (this.statuses.get(id) === 'WORKING') this.evaluateOne(id, answer, '');
    }
    while (this.status() === 'WORKING') {
      const nothingWorked = this.those('WORKING').length === 0;
      const somethingIdle = this.those('IDLE').length > 0;
      let anyAction = false;
      for (const id of this.group()) {
        if (this.setup.previouslyFailed.includes(id)) {
          this.statuses.set(id, 'FAILED');
        } else if (this.evaluateOne(id, idle[id] ?? 'WAIT', ' WORKING')) {
          anyAction = true;
        }
      }
      if (!nothingWorked || !somethingIdle || anyAction) return;
    }
  }
}

const size = fc.integer({ min: 1, max: 4 });
const strategies: fc.Arbitrary<UpdateStrategy> = fc.oneof(
  fc.record({ kind: fc.constant('queue' as const), groupSize: size }),
  fc.record({ kind: fc.constant('batch' as const), groupSize: size, autopause: fc.boolean() }),
  fc.record({
    kind: fc.constant('variable' as const),
    groupSizes: fc.array(size, { minLength: 1, maxLength: 4 }),
    autopause: fc.boolean(),
  }),
);
const setups: fc.Arbitrary<Setup> = fc
  .uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 })
  .chain((order) =>
    fc.record({
      direction: fc.constantFrom<Direction>('forward', 'reverse'),
      strategy: strategies,
      maxFailedInstances: fc.integer({ min: 0, max: 4 }),
      order: fc.constant(order),
      previouslyFailed: fc.subarray(order, { maxLength: Math.min(3, order.length) }),
    }),
  );

/** Success is frequent enough that most histories get somewhere. */
const answer: fc.Arbitrary<Answer> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Answer>('SUCCEEDED') },
  { weight: 2, arbitrary: fc.constantFrom(...ANSWERS) },
);
const rounds = fc.array(
  fc.record({
    changed: fc.uniqueArray(fc.nat(11), { maxLength: 6, size: 'max' }),
    answers: fc.array(answer, { minLength: 12, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 25, size: 'max' },
);

test('agrees with the specification read literally, whatever the instances answer', () => {
  fc.assert(
    fc.property(setups, rounds, (setup, history) => {
      const updater = newUpdater(setup, setup.order, new Set(setup.previouslyFailed));
      const literal = new Literal(setup);
      for (const { changed, answers } of history) {
        const answersOf = (indices: readonly number[]): Answers =>
          Object.fromEntries(
            indices
              .filter((index) => index < setup.order.length)
              .map((index) => [setup.order[index] ?? -1, answers[index] ?? 'WAIT']),
          );
        const [inputs, idle] = [answersOf(changed), answersOf(span(0, 11))];
        const evaluation = ask(updater, inputs, idle);
        if ('need' in evaluation) throw new Error('needs what it was given');
        literal.evaluate(inputs, idle);

        expect(evaluation.status).toBe(literal.status());
        expect(
          evaluation.sideEffects.map(({ instanceId, statuses, action }) =>
            [instanceId, ...statuses, ...(action === undefined ? [] : [action])].join(' '),
          ),
        ).toEqual(literal.effects);
        advance(updater, evaluation.change);
        expect([...updater.working.keys()].sort()).toEqual(literal.those('WORKING').sort());
        expect(updater.failed).toBe(literal.those('FAILED').length);
        expect(updater.order.slice(updater.started)).toEqual(literal.those('IDLE'));
        expect(updater.status).toBe(evaluation.status);
        if (evaluation.status !== 'WORKING') break;
      }
    }),
    { numRuns: 1000 },
  );
});

test('asks only for idle instances it would start, and answers the same asked bit by bit', () => {
  fc.assert(
    fc.property(setups, fc.array(answer, { minLength: 12, maxLength: 12 }), (setup, answers) => {
      const updater = newUpdater(setup, setup.order, new Set(setup.previouslyFailed));
      const all: Answers = Object.fromEntries(
        setup.order.map((id, index) => [id, answers[index] ?? 'WAIT']),
      );
      let known: Answers = {};
      for (let asked = 0; asked <= setup.order.length; asked++) {
        const evaluation = ask(updater, {}, known);
        if (!('need' in evaluation)) {
          expect(evaluation).toEqual(ask(updater, {}, all));
          const touched = evaluation.sideEffects.map(({ instanceId }) => instanceId);
          expect(Object.keys(known).map(Number).sort()).toEqual(touched.sort());
          return;
        }
        known = {
          ...known,
          ...Object.fromEntries(evaluation.need.map((id) => [id, all[id] ?? 'WAIT'])),
        };
      }
      throw new Error('never has enough');
    }),
    { numRuns: 500 },
  );
});
