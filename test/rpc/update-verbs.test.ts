/** pause, resume, abort, rollback and pulse (rpc.md §11.2, §11.3; updates.md §2.5, G4). */
import type { JobUpdateKey } from '../../src/core/model/keys.js';
import { MSG_GATE_TIMEOUT } from '../../src/core/update/messages.js';
import { KEY, RpcWorld, aRequest, version } from './support.js';

const VERBS = ['pauseJobUpdate', 'resumeJobUpdate', 'abortJobUpdate', 'rollbackJobUpdate'] as const;
const P = 10_000;
const UNKNOWN = { job: KEY, id: '4ac2d8d5-0000-4000-8000-000000000000' };

let rpc: RpcWorld;

beforeEach(async () => {
  rpc = await RpcWorld.create();
});

afterEach(async () => {
  await rpc.close();
});

/** Two running instances and an update of them, one at a time. */
async function started(pulseTimeoutMs = 0): Promise<JobUpdateKey> {
  await rpc.running(2, version('old'));
  await rpc.world.advance(60_000);
  const settings = {
    blockIfNoPulsesAfterMs: pulseTimeoutMs,
    minWaitInInstanceRunningMs: 2_000,
    updateStrategy: { queueStrategy: { groupSize: 1 } },
  };
  return rpc.startUpdate(aRequest(settings, { taskConfig: version('new'), instanceCount: 2 }));
}

async function replace(instanceId: number): Promise<void> {
  await rpc.world.replace(KEY, instanceId);
  await rpc.world.advance(2_000);
}

async function status(key: JobUpdateKey): Promise<string> {
  return (await rpc.details(key)).update.summary.state.status;
}

async function pulse(key: unknown): Promise<string> {
  const { status: answer } = await rpc.ok('pulseJobUpdate', { key });
  await rpc.world.settle();
  return answer;
}

test('UPD-102, RPC-053 each verb writes one event with its user and message, and answers a bare OK', async () => {
  const key = await started();
  const verb = (method: string, message?: string) =>
    rpc.call(method, { key, message }, 'mary').then((answer) => {
      expect(answer).toEqual({ code: 'OK', details: [], result: undefined });
      return rpc.world.settle();
    });
  await verb('pauseJobUpdate', 'why');
  await verb('resumeJobUpdate', '');
  await verb('rollbackJobUpdate');
  await verb('abortJobUpdate', 'enough');
  expect((await rpc.world.updateEvents(key)).slice(1)).toEqual([
    'ROLL_FORWARD_PAUSED(mary/why)',
    'ROLLING_FORWARD(mary/)',
    'ROLLING_BACK(mary/–)',
    'ABORTED(mary/enough)',
  ]);
});

test('UPD-102 a verb that changes nothing is OK without an event', async () => {
  const key = await started();
  await rpc.ok('resumeJobUpdate', { key });
  await rpc.ok('pauseJobUpdate', { key });
  await rpc.ok('pauseJobUpdate', { key });
  expect(await rpc.world.updateEvents(key)).toHaveLength(2);
});

test.each(VERBS)(
  'UPD-103, RPC-054 %s takes 1024 characters of message and no more',
  async (verb) => {
    const message = 'm'.repeat(1025);
    expect(await rpc.verdict(verb, { key: UNKNOWN, message })).toMatch(/^ERROR: message .*1024/);
    expect(await rpc.verdict(verb, { key: UNKNOWN, message: message.slice(1) })).toMatch(
      /^INVALID_REQUEST: /,
    );
  },
);

test.each(VERBS)('RPC-055, UPD-028 %s of an unknown update is INVALID_REQUEST', async (verb) => {
  expect(await rpc.verdict(verb, { key: UNKNOWN })).toMatch(
    /^INVALID_REQUEST: .*bar_role\/devel\/job_foo\/4ac2d8d5/,
  );
  // Only the job is checked: an id that is missing is an id nobody has.
  expect(await rpc.verdict(verb, { key: { job: KEY } })).toMatch(/^INVALID_REQUEST: /);
});

test.each(VERBS)('%s without a valid job key is an ERROR that names the field', async (verb) => {
  expect(await rpc.verdict(verb)).toBe('ERROR: key must be set');
  expect(await rpc.verdict(verb, { key: { id: UNKNOWN.id } })).toBe('ERROR: key.job must be set');
  expect(await rpc.verdict(verb, { key: { ...UNKNOWN, job: { ...KEY, role: 'a/b' } } })).toMatch(
    /^ERROR: key.job: role/,
  );
});

test('RPC-056 a finished update cannot be rolled back', async () => {
  const key = await started();
  await replace(0);
  await replace(1);
  expect(await status(key)).toBe('ROLLED_FORWARD');
  expect(await rpc.verdict('rollbackJobUpdate', { key })).toMatch(
    /^INVALID_REQUEST: .*ROLLED_FORWARD/,
  );
});

test('RPC-057 a paused update rolls back to its end', async () => {
  const key = await started();
  await replace(0);
  await rpc.ok('pauseJobUpdate', { key });
  await rpc.ok('rollbackJobUpdate', { key });
  expect(await status(key)).toBe('ROLLING_BACK');
  await replace(1);
  await replace(0);
  expect(await status(key)).toBe('ROLLED_BACK');
});

test('RPC-058 a rollback without a pulse is announced, then waits for one', async () => {
  const key = await started(P);
  await rpc.ok('rollbackJobUpdate', { key, message: 'back' }, 'mary');
  expect(await status(key)).toBe('ROLL_BACK_AWAITING_PULSE');
  expect((await rpc.world.updateEvents(key)).slice(1)).toEqual([
    'ROLLING_BACK(mary/back)',
    `ROLL_BACK_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
  ]);
  expect(await pulse(key)).toBe('OK');
  expect(await status(key)).toBe('ROLLED_BACK');
});

test('SH-15 an aborted update may be aborted again, one that failed may not', async () => {
  const key = await started();
  await rpc.ok('abortJobUpdate', { key });
  await rpc.ok('abortJobUpdate', { key });
  expect(await rpc.world.updateEvents(key)).toHaveLength(2);
  for (const verb of ['pauseJobUpdate', 'resumeJobUpdate', 'rollbackJobUpdate']) {
    expect(await rpc.verdict(verb, { key })).toMatch(/^INVALID_REQUEST: /);
  }
  await rpc.world.sql(`UPDATE job_updates SET state = 'FAILED'`);
  expect(await rpc.verdict('abortJobUpdate', { key })).toMatch(/^INVALID_REQUEST: .*FAILED/);
});

describe('pulseJobUpdate', () => {
  test('UPD-104, RPC-059 a pulse unblocks, keeps an update going, and learns when it is over', async () => {
    const key = await started(P);
    expect(await status(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    expect(await pulse(key)).toBe('OK');
    expect(await status(key)).toBe('ROLLING_FORWARD');
    await rpc.world.advance(P);
    expect(await status(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    await rpc.world.report(KEY, 0, 'killed');
    expect((await rpc.world.updateEvents(key)).at(-1)).toBe(
      `ROLL_FORWARD_AWAITING_PULSE(–/${MSG_GATE_TIMEOUT})`,
    );
    expect(await pulse(key)).toBe('OK');
    await rpc.world.report(KEY, 0, 'starting', 'running');
    await rpc.world.advance(2_000);
    await replace(1);
    expect(await status(key)).toBe('ROLLED_FORWARD');
    expect(await pulse(key)).toBe('FINISHED');
  });

  test('RPC-060, RPC-061 a pulse counts while the update is paused, and leaves it paused', async () => {
    const key = await started(P);
    await rpc.ok('pauseJobUpdate', { key });
    await rpc.ok('resumeJobUpdate', { key });
    expect(await status(key)).toBe('ROLL_FORWARD_AWAITING_PULSE');
    await rpc.ok('pauseJobUpdate', { key });
    expect(await pulse(key)).toBe('OK');
    expect(await status(key)).toBe('ROLL_FORWARD_PAUSED');
    await rpc.ok('resumeJobUpdate', { key });
    expect(await status(key)).toBe('ROLLING_FORWARD');
  });

  test('SH-12 an update that needs no pulses answers FINISHED and goes on', async () => {
    const key = await started();
    expect(await pulse(key)).toBe('FINISHED');
    expect(await status(key)).toBe('ROLLING_FORWARD');
    expect(await rpc.world.updateEvents(key)).toHaveLength(1);
  });

  test('HB-6 an update that ended in any way answers FINISHED, and nothing is written', async () => {
    const key = await started(P);
    await rpc.ok('abortJobUpdate', { key });
    const row = await rpc.world.updateRow(key);
    expect(await pulse(key)).toBe('FINISHED');
    expect(await rpc.world.updateRow(key)).toEqual(row);
    expect(rpc.world.engine.heartbeats.size).toBe(0);
  });

  test('HB-7, RPC-065, UPD-010 an unknown update is INVALID_REQUEST without a result', async () => {
    for (const key of [UNKNOWN, { ...UNKNOWN, id: 'invalid' }]) {
      const { code, details, result } = await rpc.call('pulseJobUpdate', { key });
      expect({ code, details: details.length, result }).toEqual({
        code: 'INVALID_REQUEST',
        details: 1,
      });
    }
    const key = await started(P);
    const other = { ...key, job: { ...KEY, name: 'other' } };
    expect((await rpc.call('pulseJobUpdate', { key: other })).code).toBe('INVALID_REQUEST');
  });

  test('with unknownPulseResponse FINISHED a monitor of a pruned update is told to stop', async () => {
    await rpc.close();
    rpc = await RpcWorld.create({ rpc: { unknownPulseResponse: 'FINISHED' } });
    expect(await rpc.ok('pulseJobUpdate', { key: UNKNOWN })).toEqual({ status: 'FINISHED' });
    expect((await rpc.call('pauseJobUpdate', { key: UNKNOWN })).code).toBe('INVALID_REQUEST');
  });

  test('RPC-066, UPD-009 an update whose rows are gone answers OK once, then it is unknown', async () => {
    const key = await started(P);
    await rpc.world.sql('SELECT shim_prune_updates(ARRAY[$1])', [key.id]);
    expect(await pulse(key)).toBe('OK');
    expect((await rpc.call('pulseJobUpdate', { key })).code).toBe('INVALID_REQUEST');
  });

  test.each([
    ['no key', undefined, 'key must be set'],
    ['no job', { id: 'id' }, 'key.job must be set'],
    ['a bad job', { job: { ...KEY, name: '' }, id: 'id' }, 'key.job: role'],
    ['no id', { job: KEY }, 'key.id must not be blank'],
    ['a blank id', { job: KEY, id: ' ' }, 'key.id must not be blank'],
  ])('%s is an ERROR that says so', async (_, key, text) => {
    expect(await rpc.verdict('pulseJobUpdate', { key })).toContain(`ERROR: ${text}`);
  });

  test('SH-7 before the registry is loaded a pulse is to be sent again', async () => {
    const key = await started(P);
    const { registry } = rpc.world.engine.updater;
    registry.loaded = false;
    for (const pulsed of [key, UNKNOWN]) {
      expect(await rpc.verdict('pulseJobUpdate', { key: pulsed })).toMatch(/^ERROR_TRANSIENT: /);
    }
    registry.loaded = true;
    expect(await pulse(key)).toBe('OK');
  });

  test('SH-1 pulses of a rolling update send no statement and keep one heartbeat', async () => {
    const key = await started(P);
    await pulse(key);
    const before = rpc.world.db.statements;
    for (let i = 0; i < 200; i++) await rpc.call('pulseJobUpdate', { key });
    expect(rpc.world.db.statements).toBe(before);
    expect(rpc.world.engine.heartbeats.size).toBe(1);
  });
});
