import { Drive, aProcess, aSchedule, chain } from './support.js';

const p1 = aProcess('p1');
const p2 = aProcess('p2');
const p3 = aProcess('p3');

describe('planner', () => {
  test('THERMOS-001 unordered processes start together, ordered ones in turn, an empty task is complete', () => {
    expect(new Drive(aSchedule([p1, p2, p3])).begin()).toEqual([
      'start p1',
      'start p2',
      'start p3',
    ]);
    const ordered = new Drive(aSchedule([p1, p2, p3], { order: chain('p1', 'p2', 'p3') }));
    expect(ordered.begin()).toEqual(['start p1']);
    expect(ordered.ends('p1', 'success', 1)).toEqual(['start p2']);
    expect(ordered.ends('p2', 'success', 2)).toEqual(['start p3']);
    const empty = new Drive(aSchedule([]));
    expect(empty.complete).toBe(true);
    empty.begin();
    expect(empty.tick(0)).toContain('done SUCCESS');
  });

  test('THERMOS-002 a lone ephemeral process leaves its task complete all the time', () => {
    const drive = new Drive(aSchedule([aProcess('p1', { ephemeral: true }), p2]));
    const complete = () => new Drive(aSchedule([aProcess('p1', { ephemeral: true })])).complete;
    expect(complete()).toBe(true);
    drive.begin();
    drive.ends('p1', 'failed', 1);
    expect(drive.status('p1')).toBe('finished');
    const alone = new Drive(aSchedule([aProcess('p1', { ephemeral: true })]));
    expect(alone.begin()).toEqual(['terminate']);
    expect(alone.tick(0)).toEqual(['annihilate', 'annihilate', 'done SUCCESS']);
  });

  test('THERMOS-003 a daemon ends by failing only', () => {
    const once = new Drive(aSchedule([aProcess('p1', { daemon: true })], { maxFailures: 0 }));
    once.begin();
    once.ends('p1', 'failed', 1);
    expect(once.complete).toBe(true);
    const twice = new Drive(
      aSchedule([aProcess('p1', { daemon: true, maxFailures: 2, minDurationSecs: 0 })], {
        maxFailures: 0,
      }),
    );
    twice.begin();
    for (const outcome of ['failed', 'success'] as const) {
      twice.ends('p1', outcome, 1);
      expect(twice.complete).toBe(false);
    }
    twice.ends('p1', 'failed', 2);
    expect(twice.complete).toBe(true);
    expect(twice.status('p1')).toBe('failed');
  });

  test('THERMOS-004 an ephemeral daemon does not keep its task', () => {
    const drive = new Drive(
      aSchedule([p1, aProcess('p2', { daemon: true, ephemeral: true, maxFailures: 2 })]),
    );
    drive.begin();
    expect(drive.ends('p1', 'success', 1)).toEqual(['terminate']);
    expect(drive.complete).toBe(true);
    expect(drive.ends('p2', 'killed', 2)).toContain('done SUCCESS');
  });

  test('THERMOS-006 what follows a failed process never runs', () => {
    const drive = new Drive(aSchedule([p1, p2], { order: chain('p1', 'p2'), maxFailures: 0 }));
    drive.begin();
    expect(drive.ends('p1', 'failed', 1)).toEqual(['terminate']);
    expect(drive.complete).toBe(false);
    expect(drive.tick(1)).toContain('done FAILED');
    expect(drive.log).not.toContain('start p2');
  });

  test('THERMOS-007 a daemon waits min_duration from the end of each run', () => {
    const drive = new Drive(
      aSchedule([aProcess('d', { daemon: true, maxFailures: 2, minDurationSecs: 10 })], {
        maxFailures: 0,
      }),
    );
    drive.begin();
    drive.ends('d', 'success', 5);
    expect(drive.runnable(14.999)).toEqual([]);
    expect(drive.tick(15)).toEqual(['start d']);
    drive.ends('d', 'failed', 15);
    expect(drive.runnable(24)).toEqual([]);
    expect(drive.tick(25)).toEqual(['start d']);
    drive.ends('d', 'failed', 26);
    expect(drive.runnable(1000)).toEqual([]);
  });

  test('THERMOS-008 the next start is the earliest of all waits', () => {
    const daemon = (name: string, minDurationSecs: number) =>
      aProcess(name, { daemon: true, minDurationSecs });
    const drive = new Drive(aSchedule([daemon('d3', 3), daemon('d5', 5), daemon('d7', 7)]));
    drive.begin();
    drive.ends('d7', 'success', 1);
    drive.ends('d5', 'success', 2);
    drive.ends('d3', 'success', 2);
    expect(drive.nextTick(3)).toBe(5);
    expect(drive.runnable(2)).toEqual([]);
    expect(drive.runnable(5)).toEqual(['d3']);
    expect(drive.runnable(7)).toEqual(['d3', 'd5']);
    expect(drive.runnable(8)).toEqual(['d3', 'd5', 'd7']);
  });

  test('THERMOS-009 max_failures 0 never fails a process', () => {
    const daemon = new Drive(
      aSchedule([aProcess('p1', { daemon: true, maxFailures: 0, minDurationSecs: 0 })]),
    );
    daemon.begin();
    for (let run = 0; run < 10; run++) daemon.ends('p1', run % 2 ? 'success' : 'failed', run);
    expect(daemon.status('p1')).toBe('running');
    const plain = new Drive(aSchedule([aProcess('p1', { maxFailures: 0 })]));
    plain.begin();
    plain.ends('p1', 'failed', 1);
    plain.tick(6);
    plain.ends('p1', 'success', 7);
    expect(plain.status('p1')).toBe('finished');
  });

  test('THERMOS-010 a lost or killed run is run again and not counted', () => {
    for (const loss of ['lost', 'killed'] as const) {
      const drive = new Drive(
        aSchedule([aProcess('p1', { maxFailures: 2, minDurationSecs: 1 })], { maxFailures: 1 }),
      );
      drive.begin();
      drive.ends('p1', 'failed', 1);
      expect(drive.nextTick(1)).toBe(2);
      drive.tick(2);
      drive.ends('p1', loss, 3);
      expect(drive.tick(3.9)).toEqual([]);
      expect(drive.tick(4)).toEqual(['start p1']);
      drive.ends('p1', 'failed', 5);
      expect(drive.status('p1')).toBe('failed');
    }
  });

  test.each([
    ['failed', 'lost', 'failed'],
    ['failed', 'success', 'lost'],
  ] as const)('THERMOS-012 the third of three runs is the last: %s %s %s', (...outcomes) => {
    const drive = new Drive(
      aSchedule([aProcess('p1', { daemon: true, maxFailures: 100, minDurationSecs: 0 })]),
      3,
    );
    drive.begin();
    for (const [at, outcome] of outcomes.entries()) drive.ends('p1', outcome, at);
    expect(drive.status('p1')).toBe('failed');
    expect(drive.runnable(100)).toEqual([]);
  });

  test('the limit on runs fails a process even if its last run succeeded, ephemeral or not', () => {
    for (const ephemeral of [true, false]) {
      const drive = new Drive(
        aSchedule([aProcess('p1', { ephemeral, maxFailures: 5, minDurationSecs: 0 }), p2]),
        2,
      );
      drive.begin();
      drive.ends('p1', 'failed', 1);
      drive.ends('p1', 'success', 1);
      expect(drive.status('p1')).toBe('failed');
      expect(drive.state.healthy).toBe(false);
    }
  });

  test('THERMOS-015 max_concurrency bounds what runs at once', () => {
    const drive = new Drive(aSchedule([p1, p2, p3], { maxConcurrency: 1 }));
    expect(drive.begin()).toEqual(['start p1']);
    expect(drive.tick(1)).toEqual([]);
    expect(drive.ends('p1', 'success', 2)).toEqual(['start p2']);
    expect(drive.ends('p2', 'success', 3)).toEqual(['start p3']);
    drive.ends('p3', 'success', 4);
    expect(drive.tick(4)).toContain('done SUCCESS');
  });

  test('THERMOS-018 a task that cannot go on has failed', () => {
    const a = aProcess('a');
    const drive = new Drive(
      aSchedule([a, aProcess('b'), aProcess('c')], { order: chain('a', 'b', 'c'), maxFailures: 2 }),
    );
    drive.begin();
    drive.ends('a', 'success', 1);
    drive.ends('b', 'failed', 2);
    drive.tick(2);
    expect(drive.log).toEqual([
      'start a',
      'start b',
      'terminate',
      'annihilate',
      'annihilate',
      'done FAILED',
    ]);
  });

  test('THERMOS-021 finalizers run in their order once the rest is gone', () => {
    const drive = new Drive(
      aSchedule([p1, aProcess('f1', { final: true }), aProcess('f2', { final: true })], {
        order: chain('f1', 'f2'),
      }),
    );
    expect(drive.begin()).toEqual(['start p1']);
    expect(drive.ends('p1', 'success', 1)).toEqual(['terminate']);
    expect(drive.tick(1)).toEqual(['annihilate', 'start f1']);
    expect(drive.ends('f1', 'success', 2)).toEqual(['start f2']);
    expect(drive.ends('f2', 'success', 3)).toEqual(['annihilate', 'done SUCCESS']);
  });

  test('THERMOS-022 failing finalizers change nothing', () => {
    const blocked = new Drive(
      aSchedule([p1, aProcess('f1', { final: true }), aProcess('f2', { final: true })], {
        order: chain('f1', 'f2'),
      }),
    );
    blocked.begin();
    blocked.ends('p1', 'success', 1);
    blocked.tick(1);
    expect(blocked.ends('f1', 'failed', 2)).toEqual(['annihilate', 'done SUCCESS']);
    const retried = new Drive(
      aSchedule([
        p1,
        aProcess('f1', { final: true, maxFailures: 2, minDurationSecs: 1 }),
        aProcess('f2', { final: true }),
      ]),
    );
    retried.begin();
    retried.ends('p1', 'success', 1);
    retried.tick(1);
    retried.ends('f2', 'success', 2);
    retried.ends('f1', 'failed', 2);
    expect(retried.tick(3)).toEqual(['start f1']);
    expect(retried.ends('f1', 'failed', 4)).toEqual(['annihilate', 'done SUCCESS']);
  });

  test('THERMOS-023 finalizers run after a failure too', () => {
    const drive = new Drive(aSchedule([p1, aProcess('f', { final: true })]));
    drive.begin();
    drive.ends('p1', 'failed', 1);
    expect(drive.tick(1)).toEqual(['annihilate', 'start f']);
    expect(drive.ends('f', 'success', 2)).toEqual(['annihilate', 'done FAILED']);
  });

  test('THERMOS-087 a kill grants its own time, whatever finalization_wait says, and no finalizer after it', () => {
    const drive = new Drive(
      aSchedule([p1, aProcess('f', { final: true })], { finalizationWaitSecs: 2 }),
    );
    drive.begin();
    expect(drive.kill(60, 10)).toEqual(['terminate']);
    expect(drive.nextTick(10)).toBe(70);
    expect(drive.tick(69.9)).toEqual([]);
    expect(drive.tick(70)).toEqual(['annihilate', 'done KILLED']);
  });

  test('THERMOS-088 killed is killed, whatever the processes return; finalizers run', () => {
    const drive = new Drive(aSchedule([p1, aProcess('f', { final: true })]));
    drive.begin();
    drive.kill(60, 1);
    expect(drive.ends('p1', 'success', 2)).toEqual(['annihilate', 'start f']);
    expect(drive.ends('f', 'success', 3)).toEqual(['annihilate', 'done KILLED']);
  });

  test('a kill while finalizers run sets their deadline anew; a second kill changes nothing', () => {
    const drive = new Drive(aSchedule([p1, aProcess('f', { final: true })]));
    drive.begin();
    drive.ends('p1', 'success', 1);
    drive.tick(1);
    expect(drive.nextTick(1)).toBe(31);
    expect(drive.kill(60, 20)).toEqual([]);
    expect(drive.nextTick(20)).toBe(80);
    drive.kill(60, 50);
    expect(drive.nextTick(50)).toBe(80);
    expect(drive.tick(80)).toEqual(['annihilate', 'done KILLED']);
  });

  test('a kill without grace goes straight to the end', () => {
    const drive = new Drive(aSchedule([p1, aProcess('f', { final: true })]));
    drive.begin();
    expect(drive.kill(0, 1)).toEqual(['terminate', 'annihilate', 'done KILLED']);
  });

  test('THERMOS-090 a natural end waits finalization_wait for what ignores SIGTERM, then skips finalizers', () => {
    const drive = new Drive(
      aSchedule([p1, aProcess('e', { ephemeral: true }), aProcess('f', { final: true })], {
        finalizationWaitSecs: 3,
      }),
    );
    drive.begin();
    expect(drive.ends('p1', 'success', 1)).toEqual(['terminate']);
    expect(drive.nextTick(1)).toBe(4);
    expect(drive.tick(4)).toEqual(['annihilate', 'done SUCCESS']);
  });

  test('finalization_wait 0 goes straight to the end', () => {
    const drive = new Drive(
      aSchedule([p1, aProcess('f', { final: true })], { finalizationWaitSecs: 0 }),
    );
    drive.begin();
    expect(drive.ends('p1', 'success', 1)).toEqual(['annihilate', 'done SUCCESS']);
  });

  test('THERMOS-091 orphans are waited for, no longer than the deadline', () => {
    const drive = new Drive(aSchedule([p1, aProcess('f', { final: true })]));
    drive.begin();
    drive.ends('p1', 'success', 1);
    expect(drive.tick(1, 2)).toEqual([]);
    expect(drive.nextTick(1)).toBe(1.1);
    expect(drive.tick(2, 1)).toEqual([]);
    expect(drive.tick(3, 0)).toEqual(['annihilate', 'start f']);
  });

  test('THERMOS-093 a failing task takes the others with it at once', () => {
    const drive = new Drive(aSchedule([aProcess('a'), aProcess('b')]));
    drive.begin();
    expect(drive.ends('a', 'failed', 1)).toEqual(['terminate']);
    expect(drive.ends('b', 'killed', 1)).toEqual(['annihilate', 'annihilate', 'done FAILED']);
  });

  test('THERMOS-094 a process killed by a signal every time fails at the limit on runs', () => {
    const drive = new Drive(aSchedule([aProcess('p1', { minDurationSecs: 0 })]), 3);
    drive.begin();
    for (let run = 0; run < 3; run++) drive.ends('p1', 'killed', run);
    expect(drive.tick(3)).toContain('done FAILED');
    expect(drive.log.filter((entry) => entry === 'start p1')).toHaveLength(3);
  });

  test('THERMOS-017 THERMOS-019 retries up to max_failures; a task without limit succeeds', () => {
    const drive = new Drive(
      aSchedule([aProcess('bad', { maxFailures: 2, minDurationSecs: 1 }), aProcess('good')], {
        maxFailures: 0,
      }),
    );
    drive.begin();
    drive.ends('good', 'success', 1);
    drive.ends('bad', 'failed', 1);
    drive.tick(2);
    drive.ends('bad', 'failed', 3);
    expect(drive.tick(3)).toContain('done SUCCESS');
  });
});
