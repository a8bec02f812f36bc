/** The process and machine variables of operations.md §4.1, with Node's equivalents of the JVM's. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Stats } from './stats.js';

const MIB = 1024 * 1024;

/** For dashboards that expect them: what cannot happen here, or is not done. */
const ALWAYS_ZERO = [
  'offers_rescinded',
  'slaves_lost',
  'scheduler_framework_disconnects',
  'scheduler_framework_reregisters',
  'scheduler_lost_executors',
];

/** Adds the gauges; nothing of the environment is ever among them. */
export function addProcessStats(stats: Stats): void {
  const nanosUsed = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000;
  };
  let last = { nanos: nanosUsed(), at: performance.now() };
  let cores = 0;

  stats.gauge('jvm_uptime_secs', () => Math.floor(process.uptime()));
  stats.gauge('jvm_time_ms', () => Date.now());
  stats.gauge('jvm_available_processors', () => availableParallelism());
  stats.gauge('jvm_threads_active', () => threads());
  stats.gauge('jvm_memory_heap_mb_used', () => mebibytes(getHeapStatistics().used_heap_size));
  stats.gauge('jvm_memory_heap_mb_committed', () => mebibytes(getHeapStatistics().total_heap_size));
  stats.gauge('jvm_memory_heap_mb_max', () => mebibytes(getHeapStatistics().heap_size_limit));
  stats.gauge('system_load_avg', () => loadavg()[0] ?? 0);
  stats.gauge('process_cpu_time_nanos', nanosUsed);
  stats.gauge('process_cpu_cores_utilized', () => {
    const now = { nanos: nanosUsed(), at: performance.now() };
    // Two looks in one second share a figure, or the second would measure next to nothing.
    if (now.at - last.at >= 1000) {
      cores = (now.nanos - last.nanos) / ((now.at - last.at) * 1e6);
      last = now;
    }
    return cores;
  });
  stats.gauge('process_open_fd_count', () => readdirSync('/dev/fd').length);
  stats.gauge('process_max_fd_count', maxOpenFiles);
  for (const name of ALWAYS_ZERO) stats.increment(name, 0);
}

const mebibytes = (bytes: number): number => Math.round(bytes / MIB);

function threads(): number {
  const [, count] = /^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(count);
}

function maxOpenFiles(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return Number(soft);
}
