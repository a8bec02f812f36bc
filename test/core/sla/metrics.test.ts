/** SLA figures on plain data (tasks.md §9.1). */
import type { Resource } from '../../../src/core/model/config.js';
import type { ScheduleStatus } from '../../../src/core/model/statuses.js';
import { SCHEDULE_STATUSES } from '../../../src/core/model/statuses.js';
import type { SlaCategory, SlaTask } from '../../../src/core/sla/metrics-groups.js';
import { SlaFigures } from '../../../src/core/sla/metrics-groups.js';
import type { SlaEvent, TimeFrame } from '../../../src/core/sla/metrics.js';
import { platformTime, quantile } from '../../../src/core/sla/metrics.js';

const ALL: readonly SlaCategory[] = ['JOB_UPTIMES', 'PLATFORM_UPTIME', 'MEDIANS'];
const JOB = { role: 'role', environment: 'env', name: 'job' };
const SMALL: readonly Resource[] = [{ numCpus: 1 }, { ramMb: 64 }, { diskMb: 64 }];

type Happened = readonly (readonly [ScheduleStatus, number])[];

let lastId = 0;

const eventsOf = (happened: Happened): SlaEvent[] =>
  happened.map(([status, timestampMs]) => ({ id: ++lastId, status, timestampMs }));

/** A task that is in the last of these statuses; each time is a number of ms. */
function task(happened: Happened, more: Partial<SlaTask> = {}): SlaTask {
  const events = eventsOf(happened);
  return {
    taskId: `task-${lastId}`,
    job: JOB,
    instanceId: lastId,
    status: events.at(-1)?.status ?? 'PENDING',
    config: { resources: SMALL },
    events,
    ...more,
  };
}

function figures(
  tasks: readonly SlaTask[],
  frame: TimeFrame,
  categories: readonly SlaCategory[] = ALL,
  suffix: '' | '_nonprod' = '',
): Record<string, number> {
  const found = new Map<string, number>();
  const all = new SlaFigures(frame, new Set(categories), suffix, found);
  for (const one of tasks) all.add(one);
  Array.from(all.finish());
  return Object.fromEntries(found);
}

/** The same figure of the job, and of the cluster where it has it. */
function figure(name: string, tasks: readonly SlaTask[], frame: TimeFrame): number | undefined {
  const category: SlaCategory = name.startsWith('job_')
    ? 'JOB_UPTIMES'
    : name.startsWith('mtt')
      ? 'MEDIANS'
      : 'PLATFORM_UPTIME';
  const all = figures(tasks, frame, [category]);
  const ofJob = all[`sla_role/env/job_${name}`];
  if (tasks.length > 0 && !name.startsWith('job_')) expect(all[`sla_cluster_${name}`]).toBe(ofJob);
  return ofJob;
}

const frame = (startMs: number, endMs: number): TimeFrame => ({ startMs, endMs });

describe('waits', () => {
  const F = frame(0, 300);
  const assigned = (pending: number, at: number) =>
    task([
      ['PENDING', pending],
      ['ASSIGNED', at],
    ]);

  test.each<[string, SlaTask[], number]>([
    [
      'of 100 and 50, and of a task that was killed',
      [
        assigned(50, 150),
        assigned(150, 200),
        task([
          ['PENDING', 100],
          ['ASSIGNED', 200],
          ['KILLED', 250],
        ]),
      ],
      75,
    ],
    ['of 150, 100 and 50', [assigned(50, 200), assigned(150, 200), assigned(100, 200)], 100],
    ['of 100', [assigned(50, 150)], 100],
    [
      'of tasks that are PENDING or were killed',
      [
        task([['PENDING', 50]]),
        task([
          ['PENDING', 50],
          ['KILLED', 100],
        ]),
      ],
      0,
    ],
  ])('TASK-084 the median wait %s', (_, tasks, expected) => {
    expect(figure('mtta_ms', tasks, F)).toBe(expected);
  });

  test('TASK-084 a task that is ASSIGNED without having been PENDING is an error', () => {
    const all = new SlaFigures(F, new Set(ALL), '', new Map());
    const wrong = task([['ASSIGNED', 50]], { taskId: 'strange' });
    expect(() => all.add(wrong)).toThrow(/^task strange: it was ASSIGNED/);
  });

  test('TASK-085 only what came inside the frame counts, its first and not its end', () => {
    const tasks = [150, 200, 260, 300, 400].map((at) => assigned(100, at));
    expect(figure('mtta_ms', tasks, frame(200, 300))).toBe(130);
  });

  const started = (pending: number, at: number) =>
    task([
      ['PENDING', pending],
      ['ASSIGNED', pending + 5],
      ['STARTING', at],
    ]);
  const ran = (pending: number, at: number) =>
    task([
      ['PENDING', pending],
      ['ASSIGNED', pending + 5],
      ['STARTING', pending + 10],
      ['RUNNING', at],
    ]);

  test('TASK-086 waits for STARTING', () => {
    const F4 = frame(0, 500);
    const two = [started(50, 150), started(100, 300)];
    expect(figure('mtts_ms', two, F4)).toBe(150);
    expect(figure('mtts_ms', [...two, started(100, 400)], F4)).toBe(200);
    const none = [
      task([['PENDING', 50]]),
      task([
        ['PENDING', 50],
        ['KILLED', 60],
      ]),
    ];
    expect(figure('mtts_ms', none, F4)).toBe(0);
    expect(figure('mttr_ms', none, F4)).toBe(0);
  });

  test('TASK-086 waits for RUNNING', () => {
    const F4 = frame(0, 500);
    const two = [ran(50, 180), ran(100, 400)];
    expect(figure('mttr_ms', two, F4)).toBe(215);
    expect(figure('mttr_ms', [...two, ran(50, 200)], F4)).toBe(150);
  });

  test('a wait begins with the latest PENDING and ends with the first time inside the frame', () => {
    const flapping = task([
      ['THROTTLED', 10],
      ['PENDING', 90],
      ['ASSIGNED', 120],
      ['RUNNING', 130],
      ['PARTITIONED', 210],
      ['RUNNING', 220],
      ['PARTITIONED', 230],
      ['RUNNING', 240],
    ]);
    expect(figure('mttr_ms', [flapping], frame(200, 300))).toBe(130);
    expect(figure('mtta_ms', [flapping], frame(200, 300))).toBe(0);
  });
});

describe('job uptimes', () => {
  const END = 200_000;
  const running = Array.from({ length: 100 }, (_, n) =>
    task([
      ['PENDING', 1],
      ['RUNNING', END - (n + 1) * 1000],
    ]),
  );
  const expected: [number, number][] = [
    [50, 50.5],
    [75, 25.75],
    [90, 10.9],
    [95, 5.95],
    [99, 1.99],
  ];

  test.each(expected)('TASK-087 of 100 tasks up for 1 to 100 s, at %d percent', (p, seconds) => {
    const name = `job_uptime_${p}.00_sec`;
    expect(figure(name, running, frame(END - 60_000, END))).toBeCloseTo(seconds, 9);
  });

  test('TASK-088 only tasks that are RUNNING count, and there may be none', () => {
    const F = frame(END - 60_000, END);
    for (const status of ['KILLED', 'RESTARTING'] as const) {
      const other = task([
        ['PENDING', 1],
        ['RUNNING', 2],
        [status, END - 1],
      ]);
      const name = 'job_uptime_99.00_sec';
      expect(figure(name, [...running, other], F)).toBeCloseTo(1.99, 9);
      expect(figure(name, [other], F)).toBe(0);
    }
    expect(quantile([], 0.01)).toBe(0);
    expect(figures([], F)).toEqual({});
  });

  test('a task that began to run after the frame has been up for no time', () => {
    const late = task([['RUNNING', END + 5]]);
    expect(figure('job_uptime_50.00_sec', [late], frame(0, END))).toBe(0);
  });
});

describe('platform uptime', () => {
  const F = frame(100, 500);
  const uptime = (...generations: Happened[]) =>
    figure(
      'platform_uptime_percent',
      generations.map((happened) => task(happened, { instanceId: 1 })),
      F,
    );

  test('TASK-089 an instance that was lost is down until its next generation runs', () => {
    const lost: Happened = [
      ['PENDING', 20],
      ['RUNNING', 50],
      ['LOST', 300],
      ['KILLED', 310],
    ];
    const next: Happened = [
      ['PENDING', 310],
      ['ASSIGNED', 320],
      ['STARTING', 330],
      ['RUNNING', 400],
    ];
    expect(uptime(lost, next)).toBe(75);
    expect(uptime(next, lost)).toBe(75);
  });

  test('TASK-089 one that was killed by nobody is down', () => {
    expect(
      uptime([
        ['RUNNING', 50],
        ['KILLED', 300],
      ]),
    ).toBe(50);
  });

  test('TASK-089 of instances of which none was down all is up', () => {
    const tasks = [
      task([['PENDING', 50]]),
      task([
        ['RUNNING', 400],
        ['PARTITIONED', 500],
      ]),
      task([
        ['RUNNING', 50],
        ['KILLING', 400],
      ]),
    ];
    expect(figure('platform_uptime_percent', tasks, F)).toBe(100);
    expect(uptime([['PENDING', 50]])).toBe(100);
  });

  test.each(SCHEDULE_STATUSES)('TASK-089 %s alone is no error', (status) => {
    const isDown = ['LOST', 'DRAINING', 'PREEMPTING'].includes(status);
    expect(uptime([[status, 200]])).toBe(isDown ? 0 : 100);
  });

  // What each status makes of an instance that is up, down, or not meant to run: U, D, R.
  test.each<[ScheduleStatus, string]>([
    ['LOST', 'DDD'],
    ['DRAINING', 'DDD'],
    ['PREEMPTING', 'DDD'],
    ['PENDING', 'RDR'],
    ['ASSIGNED', 'RDR'],
    ['STARTING', 'RDR'],
    ['THROTTLED', 'RRR'],
    ['FINISHED', 'RRR'],
    ['RESTARTING', 'RRR'],
    ['FAILED', 'RRR'],
    ['KILLING', 'RRR'],
    ['RUNNING', 'UUU'],
    ['PARTITIONED', 'UUU'],
    ['KILLED', 'DDR'],
    ['INIT', 'UDR'],
  ])('%s makes UP, DOWN and REMOVED %s', (status, expected) => {
    const before: Happened[] = [[['RUNNING', 1]], [['LOST', 1]], []];
    const after = before.map((happened) => {
      const { upMs, downMs } = platformTime(
        eventsOf([...happened, [status, 150]]),
        frame(200, 300),
      );
      return upMs === 100 ? 'U' : downMs === 100 ? 'D' : 'R';
    });
    expect(after.join('')).toBe(expected);
  });

  test('of events of one millisecond the older one comes first', () => {
    const killed = eventsOf([
      ['RUNNING', 50],
      ['KILLED', 300],
    ]);
    const next = eventsOf([['PENDING', 300]]);
    expect(platformTime([...next, ...killed], F)).toEqual({ upMs: 200, downMs: 200 });
  });

  test('the cluster is the sum of all instances', () => {
    const lost = task([
      ['RUNNING', 50],
      ['LOST', 300],
    ]);
    const other = task([['RUNNING', 300]], { job: { ...JOB, name: 'other' } });
    const all = figures([lost, other], F, ['PLATFORM_UPTIME']);
    expect(all['sla_role/env/job_platform_uptime_percent']).toBe(50);
    expect(all['sla_role/env/other_platform_uptime_percent']).toBe(100);
    expect(all['sla_cluster_platform_uptime_percent']).toBeCloseTo((100 * 400) / 600, 9);
  });
});

describe('names', () => {
  const F = frame(0, 300);
  const run = (cpus: number, ramMb: number, diskMb: number) =>
    task([['PENDING', 1]], {
      config: { resources: [{ numCpus: cpus }, { ramMb }, { diskMb }, { namedPort: 'http' }] },
    });

  test('a job has nine figures, the cluster four, each size three', () => {
    const all = figures([run(1, 64, 64)], F, ALL, '_nonprod');
    expect(Object.keys(all).sort()).toEqual(
      [
        ...[50, 75, 90, 95, 99].map((p) => `sla_role/env/job_job_uptime_${p}.00_sec`),
        ...['sla_role/env/job_', 'sla_cluster_'].map((group) => `${group}platform_uptime_percent`),
        ...['sla_role/env/job_', 'sla_cluster_', 'sla_cpu_small_', 'sla_ram_small_'].flatMap(
          (group) => ['mtta_ms', 'mtts_ms', 'mttr_ms'].map((name) => group + name),
        ),
        ...['mtta_ms', 'mtts_ms', 'mttr_ms'].map((name) => `sla_disk_small_${name}`),
      ]
        .map((name) => `${name}_nonprod`)
        .sort(),
    );
  });

  test.each<[SlaCategory, number]>([
    ['JOB_UPTIMES', 5],
    ['PLATFORM_UPTIME', 2],
    ['MEDIANS', 15],
  ])('of %s alone there are %d', (category, count) => {
    expect(Object.keys(figures([run(1, 64, 64)], F, [category]))).toHaveLength(count);
  });

  test.each([
    ['small', [0, 0, 0], [1, 1024, 4096]],
    ['medium', [1.1, 1025, 4097], [4, 8192, 16384]],
    ['large', [4.1, 8193, 16385], [8, 16384, 32768]],
    ['xlarge', [8.1, 16385, 32769], [16, 32768, 65536]],
    ['xxlarge', [16.1, 32769, 65537], [999, 999_999, 999_999]],
  ])('%s is from %j to %j', (size, ...bounds) => {
    for (const [cpus = 0, ramMb = 0, diskMb = 0] of bounds) {
      const sizes = Object.keys(figures([run(cpus, ramMb, diskMb)], F, ['MEDIANS']))
        .filter((name) => /^sla_(cpu|ram|disk)_.*_mtta_ms$/.test(name))
        .sort();
      expect(sizes).toEqual(['cpu', 'disk', 'ram'].map((name) => `sla_${name}_${size}_mtta_ms`));
    }
  });
});
