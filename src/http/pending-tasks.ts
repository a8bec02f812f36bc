/** `/pendingtasks`: who waits for a host, since how many tries, and why (operations.md §3). */
import type { RouteHandler, Routes } from './server.js';

/** One group of tasks of equal config. */
export interface PendingTasks {
  readonly penaltyMs: number;
  readonly taskIds: readonly string[];
  readonly name: string;
  readonly reason: string;
}

export function pendingTasksRoutes(read: () => readonly PendingTasks[]): Routes {
  const GET: RouteHandler = () => ({
    status: 200,
    type: 'application/json',
    body: JSON.stringify(read()),
  });
  return { '/pendingtasks': { GET } };
}
