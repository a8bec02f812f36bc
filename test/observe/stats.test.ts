/** operations.md §3 (/vars), §4 (names, timings); OPS-054. */
import { addProcessStats } from '../../src/observe/process-stats.js';
import { renderVars, renderVarsJson, Stats } from '../../src/observe/stats.js';

test('OPS-054: /vars is sorted lines, /vars.json an object, indented when asked', () => {
  const stats = new Stats();
  expect(renderVars(stats.snapshot())).toBe('');
  expect(renderVarsJson(stats.snapshot(), false)).toBe('{}');
  stats.gauge('str', () => 'foobar');
  stats.increment('int', 5);
  stats.gauge('float', () => 4.16126);
  expect(renderVars(stats.snapshot())).toBe('float 4.16126\nint 5\nstr foobar');
  expect(renderVarsJson(stats.snapshot(), false)).toBe('{"str":"foobar","int":5,"float":4.16126}');
  expect(renderVarsJson(stats.snapshot(), true)).toContain('{\n  "str": "foobar",\n');
});

test('counters start where they are first seen; 0 makes one show', () => {
  const stats = new Stats();
  stats.increment('tasks_pruned', 0);
  expect(stats.snapshot()).toEqual({ tasks_pruned: 0 });
  stats.increment('tasks_pruned');
  stats.increment('tasks_pruned', 3);
  expect(stats.snapshot()).toEqual({ tasks_pruned: 4 });
});

test('characters outside the allowed set become underscores', () => {
  const stats = new Stats();
  stats.increment('tasks_LOST_www/prod/a-b.c');
  stats.increment('core(s) ü');
  expect(Object.keys(stats.snapshot())).toEqual(['tasks_LOST_www/prod/a-b.c', 'core_s___']);
});

test('gauges are read when looked at; a broken one is left out, a strange number is 0', () => {
  const stats = new Stats();
  let value = 1;
  stats.gauge('depth', () => value);
  stats.gauge('broken', () => {
    throw new Error('no');
  });
  stats.gauge('ratio', () => 0 / 0);
  expect(stats.snapshot()).toEqual({ depth: 1, ratio: 0 });
  value = 2;
  stats.removeGauge('ratio');
  expect(stats.snapshot()).toEqual({ depth: 2 });
});

test('a timing is five variables; the last three are of the last sample', () => {
  const stats = new Stats();
  stats.sample(0);
  stats.timing('scheduler_thrift_getJobs', 100);
  stats.timing('scheduler_thrift_getJobs', 300);
  const names = (...values: number[]): Record<string, number> => ({
    scheduler_thrift_getJobs_events: values[0] ?? 0,
    scheduler_thrift_getJobs_nanos_total: values[1] ?? 0,
    scheduler_thrift_getJobs_events_per_sec: values[2] ?? 0,
    scheduler_thrift_getJobs_nanos_total_per_sec: values[3] ?? 0,
    scheduler_thrift_getJobs_nanos_per_event: values[4] ?? 0,
  });
  expect(stats.snapshot()).toEqual(names(2, 400, 0, 0, 0));
  stats.sample(2000);
  expect(stats.snapshot()).toEqual(names(2, 400, 1, 200, 200));
  stats.sample(3000);
  expect(stats.snapshot()).toEqual(names(2, 400, 0, 0, 0));
});

test('process variables are there, the environment is not', () => {
  const stats = new Stats();
  addProcessStats(stats);
  const snapshot = stats.snapshot();
  expect(snapshot).toMatchObject({ slaves_lost: 0, jvm_uptime_secs: expect.any(Number) as number });
  expect(snapshot['jvm_memory_heap_mb_used']).toBeGreaterThan(0);
  expect(Object.keys(snapshot).filter((name) => name.startsWith('system_env'))).toEqual([]);
});
