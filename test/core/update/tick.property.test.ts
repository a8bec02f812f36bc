/** What holds for every update, whatever its tasks, its operators and its monitor do. */
import fc from 'fast-check';
import { TERMINAL_STATES } from '../../../src/core/model/statuses.js';
import type { ScheduleStatus } from '../../../src/core/model/statuses.js';
import type { UpdateSettings, UpdateStrategy } from '../../../src/core/model/update.js';
import { targetConfig } from '../../../src/core/update/plan.js';
import { explicitStatus, mayFollow } from '../../../src/core/update/status-table.js';
import type { SimTask } from './replay.js';
import { Replay } from './replay.js';
import { NEW, OLD, aPlan, span } from './builders.js';

const W_S = 2;
const P_S = 5;

interface Scene {
  /** Of each instance: to be created, updated, removed, not part of the update, or already NEW. */
  readonly kinds: readonly ('create' | 'update' | 'remove' | 'other' | 'already')[];
  readonly settings: Partial<UpdateSettings>;
}

const size = fc.integer({ min: 1, max: 3 });
const strategies: fc.Arbitrary<UpdateStrategy> = fc.oneof(
  fc.record({ kind: fc.constant('queue' as const), groupSize: size }),
  fc.record({ kind: fc.constant('batch' as const), groupSize: size, autopause: fc.boolean() }),
  fc.record({
    kind: fc.constant('variable' as const),
    groupSizes: fc.array(size, { minLength: 1, maxLength: 3 }),
    autopause: fc.boolean(),
  }),
);
const scenes: fc.Arbitrary<Scene> = fc.record({
  kinds: fc
    .array(fc.constantFrom('create', 'update', 'update', 'update', 'remove', 'already', 'other'), {
      minLength: 1,
      maxLength: 9,
    })
    .filter((kinds) => kinds.some((kind) => kind !== 'other')),
  settings: fc.record({
    strategy: strategies,
    maxPerInstanceFailures: fc.constantFrom(0, 0, 0, 1, 2),
    maxFailedInstances: fc.constantFrom(0, 0, 1, 2),
    minWaitInRunningMs: fc.constantFrom(0, W_S * 1000),
    rollbackOnFailure: fc.boolean(),
    pulseTimeoutMs: fc.constantFrom(0, P_S * 1000),
  }),
});

/** What the world does between two looks; `pick` chooses the task it does it to. */
interface Move {
  readonly op: 'on' | 'fail' | 'time' | 'pulse' | 'pause' | 'resume' | 'rollback' | 'restart';
  readonly pick: number;
}
const movesOf = (...ops: Move['op'][]): fc.Arbitrary<Move[]> =>
  fc.array(fc.record({ op: fc.constantFrom(...ops), pick: fc.nat(100) }), {
    maxLength: 60,
    size: 'max',
  });
const ANYTHING = movesOf(
  ...(['on', 'on', 'on', 'on', 'fail', 'fail', 'time', 'time', 'pulse', 'pulse'] as const),
  ...(['pause', 'resume', 'resume', 'rollback', 'restart'] as const),
);
/** Nothing that makes the engine build another forward updater. */
const UNDISTURBED = movesOf('on', 'on', 'on', 'on', 'fail', 'time', 'time');

const NEXT: Partial<Record<ScheduleStatus, ScheduleStatus>> = {
  PENDING: 'ASSIGNED',
  ASSIGNED: 'STARTING',
  STARTING: 'RUNNING',
  KILLING: 'KILLED',
};
const ENDS: readonly ScheduleStatus[] = ['FAILED', 'FINISHED', 'LOST', 'KILLED'];

const ids = ({ kinds }: Scene, ...wanted: Scene['kinds'][number][]): number[] =>
  span(0, kinds.length - 1).filter((id) => wanted.includes(kinds[id] ?? 'other'));

function stage(scene: Scene): Replay {
  const plan = aPlan(
    ids(scene, 'update', 'remove', 'already'),
    ids(scene, 'create', 'update', 'already'),
    scene.settings,
  );
  return new Replay(plan, [
    ...ids(scene, 'update', 'remove', 'other').map((id) => [id, OLD] as const),
    ...ids(scene, 'already').map((id) => [id, NEW] as const),
  ]);
}

function pickTask(replay: Replay, pick: number, allowed: (task: SimTask) => boolean) {
  const tasks = [...replay.tasks.values()].filter(allowed);
  return tasks[pick % Math.max(1, tasks.length)];
}

function play(replay: Replay, moves: readonly Move[]): void {
  for (const { op, pick } of moves) {
    if (replay.ended) return;
    switch (op) {
      case 'on': {
        const task = pickTask(replay, pick, ({ status }) => NEXT[status] !== undefined);
        if (task !== undefined) replay.report(NEXT[task.status] ?? 'LOST', task.instanceId);
        break;
      }
      case 'fail': {
        // Mostly a task of this update's making: only these make instances fail.
        const isNew = ({ newest }: SimTask) => newest.at >= 0 || pick % 5 === 0;
        const task = pickTask(replay, pick, (t) => t.status !== 'PENDING' && isNew(t));
        if (task !== undefined) replay.report(ENDS[pick % ENDS.length] ?? 'LOST', task.instanceId);
        break;
      }
      case 'time':
        replay.until(replay.now / 1000 + (pick % 4) / 2);
        break;
      case 'pulse':
        replay.pulse();
        break;
      case 'restart':
        replay.restart();
        break;
      case 'rollback':
        if (pick % 4 === 0) replay.verb('rollback'); // or hardly any update would go on long
        break;
      case 'pause':
      case 'resume':
        replay.verb(op);
    }
  }
}

/** From here on everybody does their duty; an update that does not end now never will. */
function carryOn(replay: Replay): void {
  for (let round = 0; !replay.pulse().ended; round++) {
    if (round > 200) throw new Error(`does not end:\n${replay.log.join('\n')}`);
    replay.verb('resume');
    for (const task of [...replay.tasks.values()]) {
      while (NEXT[task.status] !== undefined && replay.tasks.get(task.instanceId) === task) {
        replay.report(NEXT[task.status] ?? 'LOST', task.instanceId);
      }
    }
    replay.until(replay.now / 1000 + W_S);
  }
}

/** Plays a whole update and hands it to `check`; on failure the log tells the story. */
function forAll(moves: fc.Arbitrary<Move[]>, check: (replay: Replay, scene: Scene) => void): void {
  fc.assert(
    fc.property(scenes, moves, (scene, history) => {
      const replay = stage(scene).start();
      play(replay, history);
      carryOn(replay);
      try {
        check(replay, scene);
      } catch (cause) {
        throw new Error(replay.log.join('\n'), { cause });
      }
    }),
    { numRuns: 400 },
  );
}

const groupLimit = ({ settings }: Scene): number => {
  const { strategy } = settings;
  if (strategy === undefined) return 1;
  return strategy.kind === 'variable' ? Math.max(...strategy.groupSizes) : strategy.groupSize;
};

describe('any history', () => {
  test('ends, and only as §2.4 allows', () => {
    forAll(ANYTHING, (replay) => {
      expect(['ROLLED_FORWARD', 'ROLLED_BACK', 'FAILED']).toContain(replay.state);
      const [first, ...rest] = replay.updateEvents;
      let last = first;
      for (const status of rest) {
        expect(last !== undefined && mayFollow(last, status)).toBe(true);
        last = status;
      }
      expect(last !== undefined && explicitStatus(last)).toBe(replay.state);
    });
  });

  test('never has more instances in flight than a group holds', () => {
    forAll(ANYTHING, (replay, scene) => {
      for (const { updater } of replay.ticks) {
        expect(updater?.working.size ?? 0).toBeLessThanOrEqual(groupLimit(scene));
      }
    });
  });

  test('gives each instance each action at most once, and in an order that makes sense', () => {
    forAll(ANYTHING, (replay) => {
      for (const story of Object.values(replay.story)) {
        const actions = story.split(',');
        expect(new Set(actions).size).toBe(actions.length);
        expect(story).toMatch(/^(upd(,(ok|bad))*)?,?(rb(,(rbok|rbbad))*)?$/);
      }
    });
  });

  test('does nothing in a tick that ends or pauses the update', () => {
    forAll(ANYTHING, (replay) => {
      for (const { outcome } of replay.ticks) {
        if (outcome.state === 'ROLLING_FORWARD' || outcome.state === 'ROLLING_BACK') continue;
        expect(outcome.steps).toEqual([]);
        expect(outcome.next).toBeUndefined();
      }
    });
  });

  /** Instances killed or added going one way; those that were NEW all along are another matter. */
  const acted = (replay: Replay, scene: Scene, way: 'forward' | 'reverse'): number[] =>
    replay.steps
      .filter(({ direction, kind }) => direction === way && kind !== 'WATCH')
      .map(({ instanceId }) => instanceId)
      .filter((id) => scene.kinds[id] !== 'already');

  test('a rollback kills and adds only where the way forward did', () => {
    forAll(ANYTHING, (replay, scene) => {
      const forward = acted(replay, scene, 'forward');
      expect(acted(replay, scene, 'reverse').filter((id) => !forward.includes(id))).toEqual([]);
    });
  });

  test('a rollback does not even mention instances that were never touched', () => {
    forAll(movesOf('on', 'on', 'on', 'on', 'on', 'on', 'time', 'rollback'), (replay, scene) => {
      const forward = acted(replay, scene, 'forward');
      for (const { instanceId, action } of replay.instanceEvents) {
        if (action !== 'INSTANCE_ROLLING_BACK' || scene.kinds[instanceId] === 'already') continue;
        expect(forward).toContain(instanceId);
      }
    });
  });

  test('instances outside the update are left alone', () => {
    forAll(ANYTHING, (replay, scene) => {
      const outside = ids(scene, 'other');
      expect(outside.filter((id) => replay.tasks.get(id)?.config !== OLD)).toEqual([]);
      expect(replay.steps.filter(({ instanceId }) => outside.includes(instanceId))).toEqual([]);
      expect(Object.keys(replay.story).filter((id) => outside.includes(Number(id)))).toEqual([]);
    });
  });

  test('an end without failed instances leaves every instance where it was meant to be', () => {
    forAll(ANYTHING, (replay) => {
      const { plan, state } = replay;
      const direction = state === 'ROLLED_FORWARD' ? 'forward' : 'reverse';
      const failure = direction === 'forward' ? /bad/ : /rbbad/;
      if (state === 'FAILED' || Object.values(replay.story).some((s) => failure.test(s))) return;
      for (const id of new Set([...plan.initial.keys(), ...plan.desiredIds])) {
        const config = replay.tasks.get(id)?.config.hash;
        expect([id, config]).toEqual([id, targetConfig(plan, direction, id)?.hash]);
      }
    });
  });

  test('autopause holds an instance back once at most, and never on the way back', () => {
    forAll(ANYTHING, (replay) => {
      const released = replay.ticks.flatMap(({ outcome }) => outcome.released);
      expect(new Set(released).size).toBe(released.length);
      for (const { outcome } of replay.ticks) {
        if (outcome.released.length > 0) expect(outcome.state).toBe('ROLL_FORWARD_PAUSED');
      }
      const turned = replay.log.findIndex((line) => / RB\(/.test(line));
      const afterwards = turned < 0 ? [] : replay.log.slice(turned + 1);
      expect(afterwards.filter((line) => line.includes('auto'))).toEqual([]);
    });
  });
});

describe('an update with one forward updater', () => {
  /** `ids` occur in `order` in that order. */
  const isSubsequence = (found: readonly number[], order: readonly number[]): boolean => {
    let at = 0;
    return found.every((id) => {
      at = order.indexOf(id, at) + 1;
      return at > 0;
    });
  };

  test('starts instances in its order, and goes back in the reverse order', () => {
    const noPauses: fc.Arbitrary<Move[]> = UNDISTURBED;
    forAll(noPauses, (replay, scene) => {
      if (replay.path.some((status) => status === 'RFP' || status === 'RFA')) return;
      const order = [
        ...ids(scene, 'create'),
        ...ids(scene, 'update', 'already'),
        ...ids(scene, 'remove'),
      ];
      const started = (action: string) =>
        replay.instanceEvents
          .filter((event) => event.action === action)
          .map(({ instanceId }) => instanceId);
      expect(isSubsequence(started('INSTANCE_UPDATING'), order)).toBe(true);
      expect(isSubsequence(started('INSTANCE_ROLLING_BACK'), [...order].reverse())).toBe(true);
    });
  });

  test('without failures each instance is replaced exactly once, whatever the strategy', () => {
    forAll(movesOf('on', 'time'), (replay, scene) => {
      expect(replay.state).toBe('ROLLED_FORWARD');
      const expected = ids(scene, 'create', 'update', 'remove').map((id) => [id, 'upd,ok']);
      expect(replay.story).toEqual(Object.fromEntries(expected));
      const acted = (kind: RegExp) =>
        replay.steps.filter((step) => kind.test(step.kind)).map(({ instanceId }) => instanceId);
      const once = (wanted: number[], found: number[]) =>
        expect([...new Set(found)].sort()).toEqual(wanted.sort());
      once(ids(scene, 'update', 'remove'), acted(/KILL/));
      once(ids(scene, 'create', 'update'), acted(/ADD/));
    });
  });

  test('autopause stops between any two batches and nowhere else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), size, (count, groupSize) => {
        const all = span(0, count - 1);
        const strategy = { kind: 'batch', groupSize, autopause: true } as const;
        const replay = new Replay(
          aPlan(all, all, { strategy }),
          all.map((id) => [id, OLD] as const),
        ).start();
        carryOn(replay);
        const pauses = replay.path.filter((status) => status === 'RFP');
        expect(pauses).toHaveLength(Math.ceil(count / groupSize) - 1);
        expect(replay.state).toBe('ROLLED_FORWARD');
      }),
    );
  });
});

test('the tasks of this world end only in terminal states', () => {
  expect(ENDS.every((status) => TERMINAL_STATES.has(status))).toBe(true);
});
