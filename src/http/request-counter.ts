/** Counts answered requests for /vars and /metrics (operations.md §4); on the hot path of every pulse. */
import type { Metrics } from '../observe/metrics.js';
import type { Stats } from '../observe/stats.js';

/** @param startedMs when the request came, on `performance.now()` */
export type CountRequest = (status: number, pathGroup: string, startedMs: number) => void;

export function requestCounter(stats: Stats, metrics?: Metrics): CountRequest {
  // Texts are made once for each status, not once for each request.
  const names = new Map<number, { readonly variable: string; readonly label: string }>();
  const nameOf = (status: number): { readonly variable: string; readonly label: string } => {
    let name = names.get(status);
    if (name === undefined) {
      name = { variable: `http_${status}_responses`, label: String(status) };
      names.set(status, name);
    }
    return name;
  };
  return (status, pathGroup, startedMs) => {
    const ms = performance.now() - startedMs;
    const { variable, label } = nameOf(status);
    stats.timing(variable, Math.round(ms * 1e6));
    metrics?.httpRequests.inc(label, pathGroup);
    metrics?.httpSeconds.observe(ms / 1000, label, pathGroup);
  };
}

/** Counts RPCs by method and response code under Aurora's names (rpc.md §1, "Stats"). */
export function callCounter(
  stats: Stats,
  metrics: Metrics,
): (method: string, code: string, nanos: number) => void {
  const codes = new Map<string, string>();
  const methods = new Map<string, string>();
  const named = (names: Map<string, string>, prefix: string, name: string): string => {
    let text = names.get(name);
    if (text === undefined) names.set(name, (text = `${prefix}${name}`));
    return text;
  };
  return (method, code, nanos) => {
    stats.increment(named(codes, 'scheduler_thrift_response_', code));
    stats.timing(named(methods, 'scheduler_thrift_', method), nanos);
    metrics.rpcRequests.inc(method, code);
    metrics.rpcSeconds.observe(nanos / 1e9, method);
  };
}
