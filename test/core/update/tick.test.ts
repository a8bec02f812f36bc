/** One tick at a time: what it writes, in which order, and what it leaves undone. */
import { UPDATE_ACTIONS } from '../../../src/core/model/statuses.js';
import type { InstanceTask } from '../../../src/core/update/instance-evaluator.js';
import { MSG_AUTO_PAUSED, msgInstanceFailed } from '../../../src/core/update/messages.js';
import { advance } from '../../../src/core/update/one-way-updater.js';
import type { UpdatePlan } from '../../../src/core/update/plan.js';
import { buildUpdater } from '../../../src/core/update/plan.js';
import type { ActionSet, TickInput, TickOutcome } from '../../../src/core/update/tick.js';
import { hasAction, tick, withAction } from '../../../src/core/update/tick.js';
import { aPlan, span } from './builders.js';
import { abbreviation } from './replay.js';
import type { Answers } from './scripted.js';
import { currentTasks, taskFor } from './scripted.js';

const BATCH = { strategy: { kind: 'batch', groupSize: 2, autopause: false } } as const;
const NO_HISTORY = { actions: new Map<number, ActionSet>(), autopauseReleased: new Set<number>() };

function inputOf(plan: UpdatePlan, changed: Answers, tasks: TickInput['tasks']): TickInput {
  return {
    plan,
    updater: buildUpdater(plan, 'forward', new Set()),
    changed: Object.entries(changed).map(([id, answer]) => ({
      instanceId: Number(id),
      task: taskFor(answer) ?? undefined,
    })),
    tasks,
    history: NO_HISTORY,
  };
}

function ask(input: TickInput): TickOutcome {
  const answer = tick(input);
  if ('need' in answer) throw new Error(`needs ${answer.need.join()}`);
  return answer;
}

/** Events and steps as one text each. */
function told({ events, steps }: TickOutcome): string[] {
  return [
    ...events.map((event) =>
      event.kind === 'instance'
        ? `${event.action} ${event.instanceId}`
        : [abbreviation(event.status), event.message].filter(Boolean).join(': '),
    ),
    ...steps.map(({ kind, instanceId, direction }) => `${kind} ${instanceId} ${direction}`),
  ];
}

/** An update of 0 to 3 whose first batch, {0, 1}, is being killed, and the history that leaves. */
function underWay(settings: Parameters<typeof aPlan>[2] = {}): TickInput {
  const plan = aPlan(span(0, 3), span(0, 3), { ...BATCH, minWaitInRunningMs: 1000, ...settings });
  const input = inputOf(plan, {}, currentTasks({ 0: 'KILL', 1: 'KILL' }));
  const { next } = ask(input);
  if (next === undefined) throw new Error('ended early');
  advance(next.updater, next.change);
  const updating = withAction(0, 'INSTANCE_UPDATING');
  const actions = new Map([0, 1].map((id) => [id, updating] as const));
  return { ...input, tasks: new Map(), history: { ...NO_HISTORY, actions } };
}

const changedTo = (input: TickInput, changed: Answers, tasks: Answers = {}): TickInput => ({
  ...input,
  changed: inputOf(input.plan, changed, new Map()).changed,
  tasks: currentTasks(tasks),
});

describe('a threshold crossed', () => {
  test('UPD-051 the steps of the evaluation that failed are not taken', () => {
    const input = changedTo(underWay({ rollbackOnFailure: false }), { 0: 'FAILED', 1: 'KILL' });
    const outcome = ask(input);
    expect(outcome.state).toBe('FAILED');
    expect(told(outcome)).toEqual(['INSTANCE_UPDATE_FAILED 0', `FAILED: ${msgInstanceFailed(0)}`]);
    expect(outcome.next).toBeUndefined();
  });

  test('UPD-051 nor those of a group that it had started', () => {
    const plan = aPlan([0, 1], [0, 1], { ...BATCH, rollbackOnFailure: false });
    const outcome = ask(inputOf(plan, {}, currentTasks({ 0: 'FAILED', 1: 'KILL' })));
    expect(told(outcome)).toEqual([
      'INSTANCE_UPDATING 0',
      'INSTANCE_UPDATE_FAILED 0',
      'INSTANCE_UPDATING 1',
      `FAILED: ${msgInstanceFailed(0)}`,
    ]);
  });

  test('UPD-051 what was only announced is taken back with both its events', () => {
    const outcome = ask(
      inputOf(aPlan([0, 1], [0, 1], BATCH), {}, currentTasks({ 0: 'FAILED', 1: 'KILL' })),
    );
    expect(told(outcome)).toEqual([
      'INSTANCE_UPDATING 0',
      'INSTANCE_UPDATE_FAILED 0',
      'INSTANCE_UPDATING 1',
      `RB: ${msgInstanceFailed(0)}`,
      'INSTANCE_ROLLING_BACK 1',
      'INSTANCE_ROLLED_BACK 1',
      'INSTANCE_ROLLING_BACK 0',
    ]);
  });

  test('with rollback: its events, RB, then the reverse ones; only reverse steps', () => {
    const [reverseBusy, reverseNoop] = [taskFor('WAIT'), taskFor('KILL')];
    const input: TickInput = {
      ...changedTo(underWay(), { 0: 'FAILED', 1: 'KILL' }),
      tasks: new Map([
        [0, reverseBusy],
        [1, reverseNoop],
        [2, reverseNoop],
        [3, reverseNoop],
      ]),
    };
    // 3 and 2 are OLD and young, so the way back begins with them.
    const outcome = ask(input);
    expect(outcome.state).toBe('ROLLING_BACK');
    expect(told(outcome)).toEqual([
      'INSTANCE_UPDATE_FAILED 0',
      `RB: ${msgInstanceFailed(0)}`,
      'INSTANCE_ROLLING_BACK 3',
      'INSTANCE_ROLLING_BACK 2',
      'WATCH 3 reverse',
      'WATCH 2 reverse',
    ]);
    expect(outcome.next?.updater.direction).toBe('reverse');
  });

  test('a rollback asks for all its instances at once, but not for those it was given', () => {
    const input = changedTo(underWay(), { 0: 'FAILED' }, { 2: 'KILL' });
    expect(tick(input)).toEqual({ need: [3, 1, 0] });
  });

  test('a rollback with nothing to do ends in the same tick', () => {
    const plan = aPlan([], [0]);
    const outcome = ask(inputOf(plan, {}, currentTasks({ 0: 'FAILED' })));
    // The same (dead) task is shown to the way back, which must get rid of it.
    expect(outcome.state).toBe('ROLLING_BACK');
    const input = inputOf(plan, { 0: 'FAILED' }, currentTasks({ 0: 'ADD' }));
    advance(input.updater, ask({ ...input, changed: [] }).next?.change ?? failing());
    const end = ask(input);
    expect(end.state).toBe('ROLLED_BACK');
    expect(told(end)).toEqual([
      'INSTANCE_UPDATE_FAILED 0',
      `RB: ${msgInstanceFailed(0)}`,
      'INSTANCE_ROLLING_BACK 0',
      'INSTANCE_ROLLED_BACK 0',
      'ROLLED_BACK',
    ]);
    expect(end.next).toBeUndefined();
  });

  test('a rollback that fails at once names its own culprit', () => {
    const deadOld: InstanceTask = {
      taskId: 't',
      status: 'LOST',
      configHash: 'old',
      everKilling: false,
      newestEvent: { id: 'e', ageMs: 0 },
    };
    const input: TickInput = {
      ...changedTo(underWay(), { 0: 'FAILED' }),
      tasks: new Map(span(0, 3).map((id) => [id, deadOld])),
    };
    const outcome = ask(input);
    expect(outcome.state).toBe('FAILED');
    expect(told(outcome).filter((line) => /^(RB|FAILED)/.test(line))).toEqual([
      `RB: ${msgInstanceFailed(0)}`,
      `FAILED: ${msgInstanceFailed(2)}`,
    ]);
    expect(outcome.steps).toEqual([]);
  });
});

describe('an ordinary tick', () => {
  test('changed instances come first, then the group they make room for', () => {
    const first = underWay();
    const one = ask(changedTo(first, { 1: 'SUCCEEDED' }));
    if (one.next === undefined) throw new Error('ended early');
    advance(one.next.updater, one.next.change);
    const outcome = ask(changedTo(first, { 0: 'SUCCEEDED' }, { 2: 'KILL', 3: 'ADD' }));
    expect(outcome.state).toBe('ROLLING_FORWARD');
    expect(told(outcome)).toEqual([
      'INSTANCE_UPDATED 0',
      'INSTANCE_UPDATING 2',
      'INSTANCE_UPDATING 3',
      'KILL_AND_RESERVE 2 forward',
      'ADD 3 forward',
    ]);
  });

  test('waiting writes nothing and does nothing', () => {
    const outcome = ask(changedTo(underWay(), { 0: 'WAIT' }));
    expect(outcome).toMatchObject({ state: 'ROLLING_FORWARD', events: [], steps: [] });
  });

  test('no input is changed, and an outcome that was not kept leaves no trace', () => {
    const input = changedTo(
      underWay(),
      { 0: 'SUCCEEDED', 1: 'SUCCEEDED' },
      { 2: 'KILL', 3: 'ADD' },
    );
    const before = structuredClone({ ...input, plan: undefined });
    const outcome = ask(input);
    expect({ ...input, plan: undefined }).toEqual(before);
    expect(ask(input)).toEqual(outcome);
  });
});

describe('at a barrier', () => {
  const AUTOPAUSE = { strategy: { kind: 'batch', groupSize: 2, autopause: true } } as const;

  test('only what would have been started is held back, not what was in order already', () => {
    const plan = aPlan(span(0, 3), span(0, 3), { ...AUTOPAUSE, minWaitInRunningMs: 1000 });
    const done = withAction(withAction(0, 'INSTANCE_UPDATING'), 'INSTANCE_UPDATED');
    const outcome = ask({
      ...inputOf(
        plan,
        {},
        currentTasks({ 0: 'SUCCEEDED', 1: 'SUCCEEDED', 2: 'SUCCEEDED', 3: 'KILL' }),
      ),
      history: { ...NO_HISTORY, actions: new Map([0, 1].map((id) => [id, done])) },
    });
    expect(outcome).toMatchObject({ state: 'ROLL_FORWARD_PAUSED', released: [3], steps: [] });
    expect(told(outcome)).toEqual([`RFP: ${MSG_AUTO_PAUSED}`]);
  });

  test('a threshold crossed goes before', () => {
    const input = underWay(AUTOPAUSE);
    const updater = buildUpdater(input.plan, 'forward', new Set([2]));
    const answers: Answers = { 0: 'SUCCEEDED', 1: 'SUCCEEDED', 2: 'KILL', 3: 'KILL' };
    const outcome = ask({ ...input, updater, tasks: currentTasks(answers) });
    expect(outcome.state).toBe('ROLLING_BACK');
    expect(outcome.released).toEqual([]);
  });
});

test('the six actions are told apart in a set', () => {
  for (const action of UPDATE_ACTIONS) {
    const set = withAction(0, action);
    expect(UPDATE_ACTIONS.filter((other) => hasAction(set, other))).toEqual([action]);
    expect(withAction(set, action)).toBe(set);
  }
  const all = UPDATE_ACTIONS.reduce(withAction, 0);
  expect(UPDATE_ACTIONS.every((action) => hasAction(all, action))).toBe(true);
});

function failing(): never {
  throw new Error('the tick ended the update');
}
