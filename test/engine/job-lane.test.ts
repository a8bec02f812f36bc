/** Lanes: who goes first, who waits for whom, and that nobody's failure is another's (updates.md §2.8, G5). */
import { JobLanes } from '../../src/engine/job-lane.js';

const lanes = new JobLanes();
const log: string[] = [];

/** A promise that is settled from outside. */
class Door {
  open!: () => void;
  readonly passed = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

afterEach(async () => {
  await lanes.idle();
  log.length = 0;
});

test('an item that finds its lane empty starts in the same turn', async () => {
  const done = lanes.enqueue('a', async () => {
    log.push('started');
    await Promise.resolve();
  });
  log.push('enqueued');
  await done;
  expect(log).toEqual(['started', 'enqueued']);
});

test('items of one lane run one after the other in the order they came', async () => {
  const door = new Door();
  const first = lanes.enqueue('a', async () => {
    await door.passed;
    log.push('1');
  });
  const others = [2, 3].map((n) =>
    lanes.enqueue('a', async () => {
      log.push(`${n} begins`);
      await Promise.resolve();
      log.push(`${n} ends`);
    }),
  );
  expect(log).toEqual([]);
  door.open();
  await Promise.all([first, ...others]);
  expect(log).toEqual(['1', '2 begins', '2 ends', '3 begins', '3 ends']);
});

test('lanes do not wait for each other', async () => {
  const door = new Door();
  const slow = lanes.enqueue('a', () => door.passed);
  await lanes.enqueue('b', async () => {
    log.push('b');
    await Promise.resolve();
  });
  expect(log).toEqual(['b']);
  door.open();
  await slow;
});

test('an item enqueued by an item of its lane comes after it', async () => {
  const inner: Promise<void>[] = [];
  await lanes.enqueue('a', async () => {
    inner.push(
      lanes.enqueue('a', async () => {
        log.push('inner');
        await Promise.resolve();
      }),
    );
    await Promise.resolve();
    log.push('outer');
  });
  await Promise.all(inner);
  expect(log).toEqual(['outer', 'inner']);
});

test.each([
  ['rejects', () => Promise.reject(new Error('no'))],
  [
    'throws before it returns a promise',
    (): Promise<never> => {
      throw new Error('no');
    },
  ],
])('an item that %s fails its caller and nobody else', async (_, item) => {
  const failed = lanes.enqueue('a', item);
  const next = lanes.enqueue('a', () => Promise.resolve('fine'));
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('fine');
  await lanes.idle();
  expect(lanes.busy).toBe(0);
  expect(await lanes.enqueue('a', () => Promise.resolve('again'))).toBe('again');
});

test('idle resolves when the last lane has ended, at once when there is none', async () => {
  await lanes.idle();
  const door = new Door();
  void lanes.enqueue('a', () => door.passed);
  void lanes.enqueue('b', () => Promise.resolve());
  const idle = lanes.idle().then(() => log.push('idle'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toEqual([]);
  door.open();
  await idle;
  expect(lanes.busy).toBe(0);
});
