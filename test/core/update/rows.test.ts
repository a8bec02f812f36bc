/** Rows of the acceptance table that `tick` alone decides, played without an engine. */
import type { UpdateSettings } from '../../../src/core/model/update.js';
import { NEW, OLD, aPlan, span } from './builders.js';
import { Replay } from './replay.js';

const W = 2;
const batch = (groupSize: number, autopause = false) =>
  ({ kind: 'batch', groupSize, autopause }) as const;
const variable = (...groupSizes: number[]) =>
  ({ kind: 'variable', groupSizes, autopause: true }) as const;

interface Given {
  readonly old?: readonly number[];
  readonly fresh?: readonly number[];
  /** What the update replaces and wants; by default all OLD tasks, and NEW on the same. */
  readonly initial?: readonly number[];
  readonly desired?: readonly number[];
  readonly settings?: Partial<UpdateSettings>;
}

function given({ old = [], fresh = [], initial = old, desired = old, settings }: Given): Replay {
  const plan = aPlan(initial, desired, { minWaitInRunningMs: W * 1000, ...settings });
  return new Replay(plan, [
    ...old.map((id) => [id, OLD] as const),
    ...fresh.map((id) => [id, NEW] as const),
  ]);
}

/** W passes. */
const wait = (replay: Replay, seconds = W): Replay => replay.until(replay.now / 1000 + seconds);
const replaceAndWait = (replay: Replay, ...ids: number[]): Replay => wait(replay.replace(...ids));
const configs = (replay: Replay): Record<number, string> =>
  Object.fromEntries([...replay.tasks].map(([id, { config }]) => [id, config.hash]));

describe('forward', () => {
  test('UPD-012 (pure) a batch waits for its last member', () => {
    const replay = given({ old: [0, 1, 2], settings: { strategy: batch(2) } }).start();
    expect(replay.story).toEqual({ 0: 'upd', 1: 'upd' });
    wait(replay.replace(1), W / 2);
    wait(replay.replace(0), W / 2);
    expect(replay.story).toEqual({ 0: 'upd', 1: 'upd,ok' });
    wait(replay, W / 2);
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok', 2: 'upd' });
    replaceAndWait(replay, 2);
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok', 2: 'upd,ok' });
    expect(replay.path).toEqual(['RF', 'ROLLED_FORWARD']);
  });

  test('UPD-013 (pure) only the instances named', () => {
    const replay = given({ old: [0, 1], initial: [0], desired: [0] }).start();
    replaceAndWait(replay, 0);
    expect(replay.story).toEqual({ 0: 'upd,ok' });
    expect(configs(replay)).toEqual({ 0: 'new', 1: 'old' });
    expect(replay.state).toBe('ROLLED_FORWARD');
  });

  test('UPD-014 (pure) unchanged instances are skipped', () => {
    const replay = given({ old: [2], fresh: [0], initial: [], desired: [1] }).start();
    wait(replay.comeUp(1));
    expect(replay.story).toEqual({ 1: 'upd,ok' });
    expect(configs(replay)).toEqual({ 0: 'new', 1: 'new', 2: 'old' });
    expect(replay.state).toBe('ROLLED_FORWARD');
  });

  test('UPD-022 (pure) nothing to do: RF and ROLLED_FORWARD in one call, no instance event', () => {
    const replay = given({ fresh: span(0, 2), initial: span(0, 2), desired: span(0, 2) }).start();
    expect(replay.log).toEqual(['0 RF(u); ROLLED_FORWARD']);
  });

  test('UPD-024 (pure) an instance stuck in PENDING is waited for', () => {
    const replay = given({ old: [0, 1] }).start();
    replaceAndWait(replay, 0).report('KILLED', 1);
    wait(replay, 86_400);
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd' });
    expect(replay.verb('abort').path).toEqual(['RF', 'ABORTED']);
  });

  test('UPD-025 (pure) an instance is added', () => {
    const replay = given({ fresh: [0, 1], initial: [], desired: [2] }).start();
    wait(replay.comeUp(2));
    expect(replay.log).toEqual(['0 RF(u); upd 2; ADD 2', '0 WATCH 2', '2 ok 2; ROLLED_FORWARD']);
  });

  test('UPD-026 (pure) an instance is removed', () => {
    const replay = given({ fresh: [0], old: [1], initial: [1], desired: [] }).start();
    replay.report('KILLED', 1);
    expect(replay.log).toEqual(['0 RF(u); upd 1; KILL 1', '0 ok 1; ROLLED_FORWARD']);
    expect(configs(replay)).toEqual({ 0: 'new' });
  });
});

describe('rollback', () => {
  const mixed: Given = { old: [0, 2, 3], initial: [0, 2, 3], desired: [0, 1, 2] };

  test('UPD-015 (pure) one failure too many', () => {
    const replay = given(mixed).start();
    wait(replay.comeUp(1));
    replaceAndWait(replay, 0);
    replay.replace(2).report('FAILED', 2);
    wait(replay.comeUp(2));
    replay.verb('pause');
    expect(replay.view).toBe('ROLL_BACK_PAUSED');
    wait(replay, 86_400).verb('resume');
    replaceAndWait(replay, 0).report('KILLED', 1);
    expect(replay.log.filter((line) => line.includes('RB('))).toEqual([
      '4 bad 2; RB(2 failed); rb 2; KILL+reserve 2',
      '86406 RB(u)',
    ]);
    expect(replay.story).toEqual({
      0: 'upd,ok,rb,rbok',
      1: 'upd,ok,rb,rbok',
      2: 'upd,bad,rb,rbok',
    });
    expect(replay.path).toEqual(['RF', 'RB', 'RBP', 'RB', 'ROLLED_BACK']);
    expect(configs(replay)).toEqual({ 0: 'old', 2: 'old', 3: 'old' });
  });

  test('UPD-016 (pure) switched off: the update ends FAILED and does nothing more', () => {
    const replay = given({ ...mixed, settings: { rollbackOnFailure: false } }).start();
    wait(replay.comeUp(1));
    replaceAndWait(replay, 0);
    replay.replace(2).report('FAILED', 2);
    expect(replay.log[replay.log.length - 1]).toBe('4 bad 2; FAILED(2 failed)');
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok', 2: 'upd,bad' });
  });

  test('UPD-018 (pure) a failing rollback ends FAILED', () => {
    const replay = given({ old: [0, 1, 2] }).start();
    replaceAndWait(replay, 0);
    replay.replace(1).report('FAILED', 1).comeUp(1).report('FAILED', 1);
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,bad,rb,rbbad' });
    expect(replay.log[replay.log.length - 1]).toBe('2 rbbad 1; FAILED(1 failed)');
    expect(configs(replay)).toEqual({ 0: 'new', 1: 'old', 2: 'old' });
  });

  test('UPD-030 (pure) asked for, in the middle of a batch', () => {
    const replay = given({ old: [0, 1, 2], settings: { strategy: batch(2) } }).start();
    replaceAndWait(replay, 0, 1).verb('rollback');
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok,rb', 2: 'upd,rb' });
    replaceAndWait(replay, 1, 2);
    expect(replay.story).toEqual({ 0: 'upd,ok,rb', 1: 'upd,ok,rb,rbok', 2: 'upd,rb,rbok' });
    replaceAndWait(replay, 0);
    expect(replay.story).toMatchObject({ 0: 'upd,ok,rb,rbok' });
    expect(replay.path).toEqual(['RF', 'RB', 'ROLLED_BACK']);
    expect(configs(replay)).toEqual({ 0: 'old', 1: 'old', 2: 'old' });
  });

  test('UPD-031 (pure) asked for before the first pulse: RB, RBA, and nothing to undo', () => {
    const settings = { pulseTimeoutMs: 10_000 };
    const replay = given({ old: [1, 2], fresh: [0], settings })
      .start()
      .verb('rollback');
    expect(replay.view).toBe('ROLL_BACK_AWAITING_PULSE');
    expect(replay.pulse().log).toEqual(['0 RFA(u)', '0 RB(u); RBA(timeout)', '0 RB; ROLLED_BACK']);
  });

  test('UPD-032 (pure) asked for while paused', () => {
    const replay = given({ old: [1, 2], fresh: [0] }).start();
    replay.replace(1).verb('pause').verb('rollback');
    replaceAndWait(replay, 1);
    expect(replay.story).toEqual({ 1: 'upd,rb,rbok' });
    expect(replay.path).toEqual(['RF', 'RFP', 'RB', 'ROLLED_BACK']);
    expect(configs(replay)).toEqual({ 0: 'new', 1: 'old', 2: 'old' });
  });

  test('SH-11 (pure) the gate stops a rollback as it stops the way forward', () => {
    const settings = { strategy: batch(2), pulseTimeoutMs: 10_000 };
    const replay = given({ old: span(0, 3), settings })
      .start()
      .pulse();
    replaceAndWait(replay, 0, 1).replace(2).report('FAILED', 2);
    expect(replay.log).toContain('2 bad 2; RB(2 failed); rb 3,2; KILL+reserve 2');
    const steps = replay.steps.length;
    wait(replay, 8).report('KILLED', 3);
    expect(replay.view).toBe('ROLL_BACK_AWAITING_PULSE');
    wait(replay, 100);
    expect(replay.steps).toHaveLength(steps);
    expect(replay.path).toEqual(['RFA', 'RF', 'RB', 'RBA']);
    replaceAndWait(replay.pulse(), 3, 2);
    replaceAndWait(replay, 1, 0);
    expect(replay.path).toEqual(['RFA', 'RF', 'RB', 'RBA', 'RB', 'ROLLED_BACK']);
    expect(configs(replay)).toEqual({ 0: 'old', 1: 'old', 2: 'old', 3: 'old' });
  });
});

describe('autopause', () => {
  test('UPD-037 (pure) between the batches, not after the last', () => {
    const replay = given({ old: [0, 1, 2], settings: { strategy: batch(2, true) } }).start();
    replaceAndWait(replay, 0, 1);
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok' });
    expect(replay.view).toBe('ROLL_FORWARD_PAUSED');
    replay.verb('resume');
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok', 2: 'upd' });
    expect(replay.view).toBe('ROLLING_FORWARD');
    replaceAndWait(replay, 2);
    expect(replay.log).toEqual([
      '0 RF(u); upd 0,1; KILL+reserve 0,1',
      '0 ADD 0',
      '0 ADD 1',
      '0 WATCH 0',
      '0 WATCH 1',
      '2 ok 0',
      '2 RFP(auto); ok 1',
      '2 RF(u); upd 2; KILL+reserve 2',
      '2 ADD 2',
      '2 WATCH 2',
      '4 ok 2; ROLLED_FORWARD',
    ]);
  });

  test('UPD-038 (pure) between variable batches', () => {
    const replay = given({ old: span(0, 5), settings: { strategy: variable(1, 2, 3) } }).start();
    replaceAndWait(replay, 0);
    expect(replay.story).toEqual({ 0: 'upd,ok' });
    expect(replay.view).toBe('ROLL_FORWARD_PAUSED');
    replay.verb('resume');
    wait(replay.replace(2), W / 2);
    replaceAndWait(replay, 1);
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok', 2: 'upd,ok' });
    expect(replay.view).toBe('ROLL_FORWARD_PAUSED');
    replaceAndWait(replay.verb('resume'), 3, 4, 5);
    expect(replay.path).toEqual(['RF', 'RFP', 'RF', 'RFP', 'RF', 'ROLLED_FORWARD']);
    expect(Object.values(replay.story)).toEqual(Array(6).fill('upd,ok'));
  });

  test('UPD-039 (pure) not on the way back', () => {
    const settings = { strategy: variable(1, 2) };
    const replay = given({ old: [0, 1], desired: [0, 1, 2], settings }).start();
    wait(replay.comeUp(2));
    expect(replay.story).toEqual({ 2: 'upd,ok' });
    expect(replay.view).toBe('ROLL_FORWARD_PAUSED');
    replay.verb('resume');
    expect(replay.story).toEqual({ 0: 'upd', 1: 'upd', 2: 'upd,ok' });
    replaceAndWait(replay, 0).replace(1).report('FAILED', 1);
    expect(replay.log[replay.log.length - 1]).toBe('4 ADD 1');
    expect(replay.log).toContain('4 bad 1; RB(1 failed); rb 1,0; KILL+reserve 1,0');
    expect(replay.story).toEqual({ 0: 'upd,ok,rb', 1: 'upd,bad,rb', 2: 'upd,ok' });
    replaceAndWait(replay, 0, 1);
    expect(replay.story).toEqual({ 0: 'upd,ok,rb,rbok', 1: 'upd,bad,rb,rbok', 2: 'upd,ok,rb' });
    replay.report('KILLED', 2);
    expect(replay.path).toEqual(['RF', 'RFP', 'RF', 'RB', 'ROLLED_BACK']);
    expect(configs(replay)).toEqual({ 0: 'old', 1: 'old' });
  });

  test('SH-16 (pure) a barrier pauses once, whatever is forgotten around it', () => {
    const settings = { strategy: batch(2, true), pulseTimeoutMs: 10_000 };
    const replay = given({ old: span(0, 3), settings })
      .start()
      .pulse();
    replay.replace(0, 1).restart();
    expect(replay.view).toBe('ROLL_FORWARD_AWAITING_PULSE');
    wait(replay).pulse();
    expect(replay.view).toBe('ROLL_FORWARD_PAUSED');
    replay.restart().pulse().verb('resume');
    expect(replay.story).toEqual({ 0: 'upd,ok', 1: 'upd,ok', 2: 'upd', 3: 'upd' });
    replay.restart().pulse();
    replaceAndWait(replay, 2, 3);
    expect(replay.path.filter((status) => status === 'RFP')).toHaveLength(1);
    expect(replay.state).toBe('ROLLED_FORWARD');
  });

  test('a batch taken up again is not a barrier', () => {
    const replay = given({ old: span(0, 3), settings: { strategy: batch(2, true) } }).start();
    replay.replace(0).restart().verb('pause').verb('resume');
    expect(replay.log.slice(-2)).toEqual(['0 RFP(u)', '0 RF(u)']);
    expect(replay.story).toEqual({ 0: 'upd', 1: 'upd' });
  });

  test('a barrier reached while somebody had paused is still a barrier', () => {
    const replay = given({ old: span(0, 3), settings: { strategy: batch(2, true) } }).start();
    wait(replay.replace(0, 1).verb('pause')).verb('resume');
    expect(replay.log.slice(-1)).toEqual(['2 RF(u); RFP(auto); ok 0,1']);
  });
});

describe('recomputation', () => {
  test('SH-14 (pure) a tolerated failed instance is not tried again, and still counts', () => {
    const settings = { maxFailedInstances: 1, pulseTimeoutMs: 10_000 };
    const replay = given({ old: [0, 1, 2], settings })
      .start()
      .pulse();
    replay.replace(0).report('FAILED', 0);
    expect(replay.story).toEqual({ 0: 'upd,bad', 1: 'upd' });
    replay.until(10).report('KILLED', 1); // the gate has closed
    const acted = replay.steps.length;
    replay.pulse();
    expect(replay.steps.slice(acted)).toEqual([
      { instanceId: 1, kind: 'ADD', direction: 'forward' },
    ]);
    replay.comeUp(0, 1).report('FAILED', 0).comeUp(0);
    expect(replay.story).toEqual({ 0: 'upd,bad', 1: 'upd' });
    replay.report('FAILED', 1);
    expect(replay.log).toContain('10 bad 1; RB(1 failed); rb 1; KILL+reserve 1');
  });

  test('SH-14 (pure) and with one failure only, the update ends well', () => {
    const settings = { maxFailedInstances: 1, pulseTimeoutMs: 10_000 };
    const replay = given({ old: [0, 1], settings })
      .start()
      .pulse();
    replay.replace(0).report('FAILED', 0).until(10).report('KILLED', 1).pulse();
    wait(replay.comeUp(1));
    expect(replay.story).toEqual({ 0: 'upd,bad', 1: 'upd,ok' });
    expect(replay.state).toBe('ROLLED_FORWARD');
  });

  test('SH-25 (pure) batches keep their bounds over a block', () => {
    const settings = { strategy: batch(3), maxFailedInstances: 1, pulseTimeoutMs: 10_000 };
    const replay = given({ old: span(0, 5), settings })
      .start()
      .pulse();
    replay.replace(1).report('FAILED', 1).until(9).replace(0, 2);
    replay.until(10.5).report('FAILED', 0).comeUp(0, 1).until(12).pulse();
    expect(replay.story).toEqual({ 0: 'upd', 1: 'upd,bad', 2: 'upd,ok' });
    expect(replay.log.slice(-2)).toEqual(['10.5 RFA(timeout)', '12 RF; ok 2; WATCH 0']);
    replay.until(13).report('FAILED', 1).comeUp(1);
    expect(Object.keys(replay.story)).toEqual(['0', '1', '2']);
    replay.until(14);
    expect(replay.log.slice(-1)).toEqual(['14 ok 0; upd 3,4,5; KILL+reserve 3,4,5']);
  });

  test('a previously failed instance that makes it one too many is the one the event names', () => {
    const settings = { strategy: { kind: 'queue', groupSize: 2 } as const, maxFailedInstances: 1 };
    const replay = given({ old: span(0, 3), settings }).start();
    replaceAndWait(replay, 0); // 1 stays behind
    replaceAndWait(replay, 2);
    replay.replace(3).report('FAILED', 3).verb('pause');
    replay.report('FAILED', 0).comeUp(0).verb('resume').report('FAILED', 0);
    // 0 was the first; then 2, stable, used the free slot and the next input took 3.
    expect(replay.log.slice(-4)).toEqual([
      '4 RF(u); WATCH 0',
      '4 bad 0',
      '4 RB(3 failed); rb 3,2; KILL+reserve 3,2',
      '4 ADD 3',
    ]);
  });

  test('pause and resume forget counted failures', () => {
    const settings = { maxPerInstanceFailures: 1 };
    const replay = given({ old: [0], settings }).start();
    replay.replace(0).report('FAILED', 0).comeUp(0).verb('pause').verb('resume');
    replay.report('FAILED', 0).comeUp(0);
    expect(replay.state).toBe('ROLLING_FORWARD');
    expect(replay.report('FAILED', 0).path).toEqual(['RF', 'RFP', 'RF', 'RB']);
  });

  test('stable instances succeed silently, young ones are watched, missing ones added again', () => {
    const settings = { strategy: batch(3), pulseTimeoutMs: 10_000 };
    const replay = given({ old: span(0, 3), settings })
      .start()
      .pulse();
    replay.until(8).replace(0, 1).until(11).report('KILLED', 2).report('FAILED', 1).comeUp(1);
    replay.until(12).restart().pulse();
    expect(replay.log.slice(-2)).toEqual(['10 RFA(timeout)', '12 RF; ok 0; WATCH 1; ADD 2']);
  });
});
