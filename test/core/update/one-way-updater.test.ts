import type { UpdateStrategy } from '../../../src/core/model/update.js';
import type { Evaluation, UpdaterState } from '../../../src/core/update/one-way-updater.js';
import { advance, evaluate, newUpdater } from '../../../src/core/update/one-way-updater.js';
import { span } from './builders.js';
import type { Answers } from './scripted.js';
import { SCRIPTED_RULES, ask, taskFor } from './scripted.js';

const batch = (groupSize: number): UpdateStrategy => ({
  kind: 'batch',
  groupSize,
  autopause: false,
});
const queue = (groupSize: number): UpdateStrategy => ({ kind: 'queue', groupSize });

function updaterOf(
  order: readonly number[],
  strategy: UpdateStrategy,
  { maxFailedInstances = 0, previouslyFailed = [] as readonly number[] } = {},
): UpdaterState {
  return newUpdater(
    { direction: 'forward', strategy, maxFailedInstances },
    order,
    new Set(previouslyFailed),
  );
}

function evaluated(updater: UpdaterState, changed: Answers, idle: Answers): Evaluation {
  const answer = ask(updater, changed, idle);
  if ('need' in answer) throw new Error(`needs ${answer.need.join()}`);
  return answer;
}

/** Evaluates and commits; `WORKING: 0 WORKING KILL, 2 WORKING ADD` says status, then side effects. */
function step(updater: UpdaterState, changed: Answers, idle: Answers = {}): string {
  const { status, sideEffects, change } = evaluated(updater, changed, idle);
  advance(updater, change);
  const effects = sideEffects.map(({ instanceId, statuses, action }) =>
    [instanceId, ...statuses, ...(action === undefined ? [] : [action])].join(' '),
  );
  return [`${status}:`, effects.join(', ')].join(' ').trim();
}

describe('rows', () => {
  test('UPD-050 two groups to success', () => {
    const updater = updaterOf([0, 2, 1, 3], batch(2));
    expect(step(updater, {}, { 0: 'KILL', 2: 'ADD' })).toBe(
      'WORKING: 0 WORKING KILL, 2 WORKING ADD',
    );
    expect(step(updater, { 0: 'WAIT' })).toBe('WORKING: 0 WAIT');
    expect(step(updater, { 0: 'SUCCEEDED' })).toBe('WORKING: 0 SUCCEEDED');
    expect(step(updater, { 2: 'SUCCEEDED' }, { 1: 'SUCCEEDED', 3: 'WATCH' })).toBe(
      'WORKING: 2 SUCCEEDED, 1 WORKING SUCCEEDED, 3 WORKING WATCH',
    );
    expect(step(updater, { 3: 'SUCCEEDED' })).toBe('SUCCEEDED: 3 SUCCEEDED');
  });

  test('UPD-050 a succeeded updater cannot be evaluated', () => {
    const updater = updaterOf([0], queue(1));
    expect(step(updater, {}, { 0: 'SUCCEEDED' })).toBe('SUCCEEDED: 0 WORKING SUCCEEDED');
    expect(() => ask(updater, {}, {})).toThrow(RangeError);
  });

  test('UPD-051 one failure too many ends it at once, and it cannot be evaluated again', () => {
    const updater = updaterOf([0, 1, 2, 3], batch(2));
    expect(step(updater, {}, { 0: 'FAILED', 1: 'KILL' })).toBe(
      'FAILED: 0 WORKING FAILED, 1 WORKING KILL',
    );
    expect(() => ask(updater, { 1: 'SUCCEEDED' }, {})).toThrow(RangeError);
  });

  test('UPD-052 what was done at once stays done', () => {
    const updater = updaterOf([0, 1], queue(1));
    expect(step(updater, {}, { 0: 'SUCCEEDED', 1: 'WAIT' })).toBe(
      'WORKING: 0 WORKING SUCCEEDED, 1 WORKING WAIT',
    );
    expect(step(updater, { 0: 'KILL' })).toBe('WORKING:');
  });

  test('UPD-053 evaluations are plain values: the same question, the same answer', () => {
    const updaters = [0, 1].map(() => updaterOf([0, 1, 2], batch(2)));
    const [first, second] = updaters.map((updater) =>
      evaluated(updater, {}, { 0: 'KILL', 1: 'SUCCEEDED' }),
    );
    expect(first).toEqual(second);
  });

  test('UPD-054 a previously failed instance is not tried, but counts', () => {
    const updater = updaterOf([0, 1], queue(1), { maxFailedInstances: 1, previouslyFailed: [0] });
    expect(step(updater, {}, { 0: 'KILL', 1: 'ADD' })).toBe('WORKING: 1 WORKING ADD');
    expect(updater.failed).toBe(1);
    expect(step(updater, { 0: 'KILL' })).toBe('WORKING:');
    expect(step(updater, { 1: 'FAILED' })).toBe('FAILED: 1 FAILED');
  });
});

describe('details of an evaluation', () => {
  test('inputs for idle instances and strangers are ignored', () => {
    const updater = updaterOf([0, 1], queue(1));
    step(updater, {}, { 0: 'KILL' });
    expect(step(updater, { 1: 'FAILED', 100: 'FAILED' })).toBe('WORKING:');
  });

  test('an instance that changed twice and ended with the first is not asked again', () => {
    const updater = updaterOf([0, 1], queue(2));
    step(updater, {}, { 0: 'KILL', 1: 'KILL' });
    const twice = (['SUCCEEDED', 'KILL'] as const).map((answer) => ({
      instanceId: 0,
      task: taskFor(answer) ?? undefined,
    }));
    const answer = evaluate(updater, () => SCRIPTED_RULES, twice, new Map());
    expect(answer).toMatchObject({ sideEffects: [{ instanceId: 0, statuses: ['SUCCEEDED'] }] });
  });

  test('failures of one evaluation add up', () => {
    const rules = { ...SCRIPTED_RULES, maxFailures: 2 };
    const updater = updaterOf([0], queue(1));
    step(updater, {}, { 0: 'WAIT' });
    const failure = { instanceId: 0, task: taskFor('FAILED') ?? undefined };
    const twice = evaluate(updater, () => rules, [failure, failure], new Map());
    if ('need' in twice) throw new Error('needs nothing');
    expect(twice.status).toBe('WORKING');
    advance(updater, twice.change);
    expect(updater.working.get(0)).toBe(2);
    expect(evaluate(updater, () => rules, [failure], new Map())).toMatchObject({
      status: 'FAILED',
    });
  });

  test('of several failures the last is the one remembered', () => {
    const updater = updaterOf([0, 1, 2], queue(3), { maxFailedInstances: 1 });
    step(updater, {}, { 0: 'KILL', 1: 'KILL', 2: 'KILL' });
    const answer = evaluated(updater, { 0: 'FAILED', 1: 'FAILED', 2: 'SUCCEEDED' }, {});
    expect(answer).toMatchObject({ status: 'FAILED', lastFailed: 1 });
  });

  test('waiting is an action: with free slots left, nothing more is started', () => {
    const updater = updaterOf(span(0, 3), queue(2));
    expect(step(updater, {}, { 0: 'SUCCEEDED', 1: 'WAIT', 2: 'KILL' })).toBe(
      'WORKING: 0 WORKING SUCCEEDED, 1 WORKING WAIT',
    );
  });

  test('limits are "more than": two of four may fail, the third is too many', () => {
    const updater = updaterOf(span(0, 3), queue(1), { maxFailedInstances: 2 });
    expect(step(updater, {}, { 0: 'KILL' })).toBe('WORKING: 0 WORKING KILL');
    expect(step(updater, { 0: 'FAILED' }, { 1: 'KILL' })).toBe('WORKING: 0 FAILED, 1 WORKING KILL');
    expect(step(updater, { 1: 'FAILED' }, { 2: 'KILL' })).toBe('WORKING: 1 FAILED, 2 WORKING KILL');
    expect(step(updater, { 2: 'FAILED' }, { 3: 'KILL' })).toBe('FAILED: 2 FAILED');
  });

  test('with tolerated failures the end is still success', () => {
    const updater = updaterOf([0, 1], batch(2), { maxFailedInstances: 2 });
    expect(step(updater, {}, { 0: 'FAILED', 1: 'FAILED' })).toBe(
      'SUCCEEDED: 0 WORKING FAILED, 1 WORKING FAILED',
    );
  });

  test('groups without any action are skipped in one evaluation, up to the first that has one', () => {
    const updater = updaterOf(span(0, 6), batch(2));
    const idle: Answers = {
      ...{ 0: 'SUCCEEDED', 1: 'SUCCEEDED', 2: 'SUCCEEDED', 3: 'SUCCEEDED' },
      ...{ 4: 'SUCCEEDED', 5: 'WAIT', 6: 'KILL' },
    };
    expect(step(updater, {}, idle)).toBe(
      'WORKING: 0 WORKING SUCCEEDED, 1 WORKING SUCCEEDED, 2 WORKING SUCCEEDED, ' +
        '3 WORKING SUCCEEDED, 4 WORKING SUCCEEDED, 5 WORKING WAIT',
    );
  });

  test('beside something in flight a no-op uses its slot, and the next waits for an input', () => {
    const updater = updaterOf(span(0, 3), queue(2));
    step(updater, {}, { 0: 'KILL', 1: 'KILL' });
    const idle: Answers = { 2: 'SUCCEEDED', 3: 'KILL' };
    expect(step(updater, { 0: 'SUCCEEDED' }, idle)).toBe(
      'WORKING: 0 SUCCEEDED, 2 WORKING SUCCEEDED',
    );
    expect(step(updater, { 1: 'WAIT' }, idle)).toBe('WORKING: 1 WAIT, 3 WORKING KILL');
  });

  test('an instance counts its failures while it is in flight, also over several evaluations', () => {
    const updater = updaterOf([0], queue(1));
    step(updater, {}, { 0: 'WAIT' });
    expect(updater.working).toEqual(new Map([[0, 0]]));
    expect(step(updater, { 0: 'FAILED' })).toBe('FAILED: 0 FAILED');
    expect(updater.working.size).toBe(0);
  });

  test('a failure too many starts nothing more', () => {
    const updater = updaterOf([0, 1], queue(1));
    step(updater, {}, { 0: 'KILL' });
    expect(step(updater, { 0: 'FAILED' }, { 1: 'KILL' })).toBe('FAILED: 0 FAILED');
  });

  test('a previously failed instance keeps its place in the batch', () => {
    const updater = updaterOf(span(0, 3), batch(2), {
      maxFailedInstances: 1,
      previouslyFailed: [1],
    });
    expect(step(updater, {}, { 0: 'KILL', 2: 'KILL' })).toBe('WORKING: 0 WORKING KILL');
    expect(step(updater, { 0: 'SUCCEEDED' }, { 2: 'KILL', 3: 'KILL' })).toBe(
      'WORKING: 0 SUCCEEDED, 2 WORKING KILL, 3 WORKING KILL',
    );
  });

  test('a batch of nothing but previously failed instances is skipped', () => {
    const updater = updaterOf(span(0, 2), batch(2), {
      maxFailedInstances: 2,
      previouslyFailed: [0, 1],
    });
    expect(step(updater, {}, { 2: 'KILL' })).toBe('WORKING: 2 WORKING KILL');
  });

  test('previously failed instances can themselves be too many', () => {
    const updater = updaterOf(span(0, 2), batch(2), { previouslyFailed: [0] });
    const answer = evaluated(updater, {}, { 1: 'KILL', 2: 'KILL' });
    expect(answer.status).toBe('FAILED');
    expect(answer.lastFailed).toBe(0);
  });
});

describe('what an evaluation asks for and leaves alone', () => {
  test('it asks for the next group only, and takes null for an answer', () => {
    const updater = updaterOf(span(0, 4), batch(2), {
      maxFailedInstances: 1,
      previouslyFailed: [1],
    });
    expect(ask(updater, {}, {})).toEqual({ need: [0] });
    expect(ask(updater, {}, { 0: 'SUCCEEDED' })).toEqual({ need: [2, 3] });
    expect(ask(updater, {}, { 0: 'SUCCEEDED', 3: 'ADD' })).toEqual({ need: [2] });
    expect(step(updater, {}, { 0: 'SUCCEEDED', 2: 'KILL', 3: 'ADD' })).toBe(
      'WORKING: 0 WORKING SUCCEEDED, 2 WORKING KILL, 3 WORKING ADD',
    );
  });

  test('with something in flight a batch asks for nothing', () => {
    const updater = updaterOf(span(0, 3), batch(2));
    step(updater, {}, { 0: 'KILL', 1: 'KILL' });
    expect(ask(updater, { 0: 'SUCCEEDED' }, {})).toMatchObject({ status: 'WORKING' });
  });

  test('the state moves only with `advance`', () => {
    const updater = updaterOf(span(0, 3), queue(2), { maxFailedInstances: 3 });
    step(updater, {}, { 0: 'KILL', 1: 'KILL' });
    const before = structuredClone(updater);
    const idle: Answers = { 2: 'KILL', 3: 'SUCCEEDED' };
    const first = evaluated(updater, { 0: 'FAILED', 1: 'SUCCEEDED' }, idle);
    expect(updater).toEqual(before);
    expect(evaluated(updater, { 0: 'FAILED', 1: 'SUCCEEDED' }, idle)).toEqual(first);
    advance(updater, first.change);
    expect(updater).toMatchObject({ started: 4, failed: 1, status: 'WORKING' });
    expect([...updater.working.keys()]).toEqual([2]);
  });
});
