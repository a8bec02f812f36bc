import { NEW, OLD, aPlan, span } from './builders.js';
import { Replay } from './replay.js';

const batch = (groupSize: number) => ({ kind: 'batch', groupSize, autopause: false }) as const;
const old = (ids: readonly number[]) => ids.map((id) => [id, OLD] as const);

describe('the worked traces of the specification, line by line', () => {
  test('T1 ten instances in batches of three', () => {
    const ten = span(0, 9);
    const plan = aPlan(ten, ten, { strategy: batch(3), minWaitInRunningMs: 45_000 });
    const replay = new Replay(plan, old(ten)).start();
    for (const [batchNo, ids] of [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]].entries()) {
      const start = batchNo * 50;
      replay.until(start + 1).report('KILLED', ...ids);
      replay.until(start + 5).comeUp(...ids);
      replay.until(start + 50);
    }
    expect(replay.log).toEqual([
      '0 RF(u); upd 0,1,2; KILL+reserve 0,1,2',
      '1 ADD 0',
      '1 ADD 1',
      '1 ADD 2',
      '5 WATCH 0',
      '5 WATCH 1',
      '5 WATCH 2',
      '50 ok 0',
      '50 ok 1',
      '50 ok 2; upd 3,4,5; KILL+reserve 3,4,5',
      '51 ADD 3',
      '51 ADD 4',
      '51 ADD 5',
      '55 WATCH 3',
      '55 WATCH 4',
      '55 WATCH 5',
      '100 ok 3',
      '100 ok 4',
      '100 ok 5; upd 6,7,8; KILL+reserve 6,7,8',
      '101 ADD 6',
      '101 ADD 7',
      '101 ADD 8',
      '105 WATCH 6',
      '105 WATCH 7',
      '105 WATCH 8',
      '150 ok 6',
      '150 ok 7',
      '150 ok 8; upd 9; KILL+reserve 9',
      '151 ADD 9',
      '155 WATCH 9',
      '200 ok 9; ROLLED_FORWARD',
    ]);
    expect(replay.updateEvents).toHaveLength(2);
    expect(replay.instanceEvents).toHaveLength(20);
    expect(replay.steps.filter(({ kind }) => kind === 'KILL_AND_RESERVE')).toHaveLength(10);
    expect(replay.steps.filter(({ kind }) => kind === 'ADD')).toHaveLength(10);
    for (const id of ten)
      expect(replay.tasks.get(id)).toMatchObject({ config: NEW, status: 'RUNNING' });
  });

  test('T2 two instances fail too often and the update rolls back', () => {
    const ten = span(0, 9);
    const plan = aPlan(ten, ten, {
      strategy: batch(3),
      minWaitInRunningMs: 45_000,
      maxPerInstanceFailures: 1,
      maxFailedInstances: 1,
    });
    const replay = new Replay(plan, old(ten)).start();
    replay.replace(0, 1, 2).until(45).replace(3, 4, 5);
    replay.until(50).report('FAILED', 4).comeUp(4);
    replay.until(55).report('FAILED', 4);
    replay.until(56).report('FAILED', 5).comeUp(5);
    replay.until(60).report('FAILED', 5);
    replay.until(61).comeUp(4, 5);
    replay.until(106).replace(3, 2, 1);
    replay.until(151).replace(0);
    replay.until(196);
    // Inside a group of the way back, ids descend.
    expect(replay.log).toEqual([
      '0 RF(u); upd 0,1,2; KILL+reserve 0,1,2',
      '0 ADD 0',
      '0 ADD 1',
      '0 ADD 2',
      '0 WATCH 0',
      '0 WATCH 1',
      '0 WATCH 2',
      '45 ok 0',
      '45 ok 1',
      '45 ok 2; upd 3,4,5; KILL+reserve 3,4,5',
      '45 ADD 3',
      '45 ADD 4',
      '45 ADD 5',
      '45 WATCH 3',
      '45 WATCH 4',
      '45 WATCH 5',
      '50 WATCH 4',
      '55 bad 4',
      '56 WATCH 5',
      '60 bad 5; RB(5 failed); rb 5,4; KILL+reserve 5,4',
      '60 ADD 5',
      '60 ADD 4',
      '61 WATCH 4',
      '61 WATCH 5',
      '106 rbok 4',
      '106 rbok 5; rb 3,2,1; KILL+reserve 3,2,1',
      '106 ADD 3',
      '106 ADD 2',
      '106 ADD 1',
      '106 WATCH 3',
      '106 WATCH 2',
      '106 WATCH 1',
      '151 rbok 3',
      '151 rbok 2',
      '151 rbok 1; rb 0; KILL+reserve 0',
      '151 ADD 0',
      '151 WATCH 0',
      '196 rbok 0; ROLLED_BACK',
    ]);
    expect(Object.keys(replay.story)).toEqual(span(0, 5).map(String));
    for (const id of ten)
      expect(replay.tasks.get(id)).toMatchObject({ config: OLD, status: 'RUNNING' });
  });

  test('T3 the gate lapses twice', () => {
    const six = span(0, 5);
    const plan = aPlan(six, six, {
      strategy: batch(3),
      minWaitInRunningMs: 20_000,
      pulseTimeoutMs: 30_000,
    });
    const replay = new Replay(plan, old(six)).start();
    const views: string[] = [];
    const look = () => views.push(`${replay.now / 1000} ${replay.view}`);
    look();
    replay.until(5).pulse();
    look();
    replay.until(7).report('KILLED', 0, 1, 2);
    replay.until(12).comeUp(0, 1);
    replay.until(22).comeUp(2);
    replay.until(32);
    look();
    replay.until(35);
    look();
    expect(replay.path).toEqual(['RFA', 'RF']); // the lapse itself stores nothing
    replay.until(42);
    replay.until(45).report('FAILED', 1).comeUp(1);
    replay.until(60).pulse();
    look();
    replay.until(70).pulse();
    replay.until(80);
    replay.until(82).replace(3, 4, 5);
    replay.until(90).pulse();
    replay.until(102);
    look();
    replay.until(103).pulse();
    expect(replay.log).toEqual([
      '0 RFA(u)',
      '5 RF; upd 0,1,2; KILL+reserve 0,1,2',
      '7 ADD 0',
      '7 ADD 1',
      '7 ADD 2',
      '12 WATCH 0',
      '12 WATCH 1',
      '22 WATCH 2',
      '32 ok 0',
      '32 ok 1',
      '42 RFA(timeout)',
      '60 RF; ok 2; WATCH 1',
      '80 upd 3,4,5; KILL+reserve 3,4,5',
      '82 ADD 3',
      '82 ADD 4',
      '82 ADD 5',
      '82 WATCH 3',
      '82 WATCH 4',
      '82 WATCH 5',
      '102 ok 3',
      '102 ok 4',
      '102 ok 5; ROLLED_FORWARD',
    ]);
    expect(views).toEqual([
      '0 ROLL_FORWARD_AWAITING_PULSE',
      '5 ROLLING_FORWARD',
      '32 ROLLING_FORWARD',
      '35 ROLL_FORWARD_AWAITING_PULSE',
      '60 ROLLING_FORWARD',
      '102 ROLLED_FORWARD',
    ]);
    expect(replay.path).toEqual(['RFA', 'RF', 'RFA', 'RF', 'ROLLED_FORWARD']);
  });
});
