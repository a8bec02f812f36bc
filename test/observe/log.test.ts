/** operations.md §1.6: what must not be read in a log. */
import { createLog, withoutPasswords } from '../../src/observe/log.js';

function lines(use: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const written: string[] = [];
  use(createLog({ level: 'debug', destination: { write: (line: string) => written.push(line) } }));
  return written.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('lines are JSON with the name of the level, an ISO time and the message', () => {
  const [line] = lines((log) => log.child({ component: 'store' }).warn({ attempt: 2 }, 'again'));
  expect(line).toEqual({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    component: 'store',
    attempt: 2,
    msg: 'again',
  });
});

test('executor configs are blanked wherever they are', () => {
  const job = {
    key: { role: 'www', environment: 'prod', name: 'web' },
    taskConfig: { isService: true, executorConfig: { name: 'AuroraExecutor', data: 's3cret' } },
  };
  const written = lines((log) => {
    log.info({ args: [job, 'x'] }, 'createJob');
    log.info({ request: { taskConfig: job.taskConfig } }, 'startJobUpdate');
    log.info(job, 'job itself');
  });
  expect(JSON.stringify(written)).not.toContain('s3cret');
  expect(written[0]?.['args']).toEqual([
    {
      ...job,
      taskConfig: { isService: true, executorConfig: { name: 'BLANKED', data: 'BLANKED' } },
    },
    'x',
  ]);
  expect(job.taskConfig.executorConfig.data).toBe('s3cret');
});

test('passwords are blanked: by name, in URLs, in errors', () => {
  const written = lines((log) => {
    log.info({ config: { password: 'pw1', url: 'postgresql://a:pw2@h:1/db' } }, 'start');
    log.error({ err: new Error('cannot reach postgresql://a:pw3@h/db') }, 'failed');
    log.info({ headers: { Authorization: 'Basic cHc0' } }, 'request');
  });
  expect(JSON.stringify(written)).not.toMatch(/pw\d|cHc0/);
  expect(written[1]?.['err']).toMatchObject({
    type: 'Error',
    message: 'cannot reach postgresql://a:BLANKED@h/db',
  });
});

test.each([
  ['postgresql://u:p@h/db and redis://:q@h', 'postgresql://u:BLANKED@h/db and redis://:BLANKED@h'],
  ['http://host:8081/a@b', 'http://host:8081/a@b'],
  ['no url', 'no url'],
])('withoutPasswords(%s)', (text, expected) => expect(withoutPasswords(text)).toBe(expected));

test('what has nothing to hide is logged as it is', () => {
  const when = new Date(0);
  const [line] = lines((log) => log.info({ when, list: [1, { a: null }], none: undefined }, 'x'));
  expect(line).toMatchObject({ when: when.toJSON(), list: [1, { a: null }] });
});
