/** Asking a task over HTTP to end (thermos.md §3.2). */
import type { LifecyclePlan } from '../../core/thermos/plan.js';

/**
 * POSTs to the graceful endpoint, then to the other one. Any HTTP response, also 404, counts as handled and
 * is followed by its wait; no response means no wait. Returns early once `ended` resolves or `limitMs` is over.
 */
export async function askToEnd(
  plan: LifecyclePlan,
  ended: Promise<unknown>,
  limitMs: number,
  httpTimeoutMs: number,
): Promise<void> {
  const isOver = ended.then(() => true);
  const deadline = performance.now() + limitMs;
  for (const [endpoint, waitSecs] of [
    [plan.gracefulEndpoint, plan.gracefulWaitSecs],
    [plan.shutdownEndpoint, plan.shutdownWaitSecs],
  ] as const) {
    const left = deadline - performance.now();
    if (left <= 0) return;
    if (!(await post(plan.port, endpoint, Math.min(httpTimeoutMs, left)))) continue;
    const waitMs = Math.min(waitSecs * 1000, deadline - performance.now());
    if (await Promise.race([isOver, sleep(waitMs)])) return;
  }
}

function sleep(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms), false));
}

async function post(port: number, path: string, timeoutMs: number): Promise<boolean> {
  // Loaded when needed only: a supervisor's memory counts once for each task on the machine.
  const { request } = await import('node:http');
  return new Promise((resolve) => {
    const answer = request(
      {
        host: 'localhost',
        port,
        path: path.startsWith('/') ? path : `/${path}`,
        method: 'POST',
        agent: false,
        timeout: timeoutMs,
        headers: { 'Content-Length': 0, 'Content-Type': 'application/x-www-form-urlencoded' },
      },
      (response) => {
        response.destroy();
        resolve(true);
      },
    );
    answer.on('timeout', () => answer.destroy());
    answer.on('error', () => resolve(false));
    answer.end();
  });
}
