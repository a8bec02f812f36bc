/**
 * What a cluster backend is to the engine (tasks.md §11). The contract in prose:
 *
 * - `submit`, `kill` come from committed rows of the command table; both are idempotent by task id.
 * - Status events are at least once and in order for each task; the promise a sink method returns resolves
 *   when the event is committed, and until then a backend must be ready to send it again.
 * - One submit is one workload, never restarted in place. `running` is said once.
 * - `submit` rejects when the workload was not created; it is repeated for a while, but not after a
 *   LaunchRefusedError: then the task is LOST (tasks.md §5.1, "launch").
 * - `kill` of an unknown id reports `lost`; of a finished id, its terminal status again.
 * - `stop` detaches and never ends a workload.
 */
import type { TaskConfig } from '../core/model/config.js';
import type { Range } from '../core/model/ranges.js';
import type { ScheduleStatus } from '../core/model/statuses.js';

export type BackendState =
  'starting' | 'running' | 'finished' | 'failed' | 'killed' | 'lost' | 'unreachable' | 'preempting';

export interface Veto {
  readonly kind: 'resource' | 'constraint' | 'limit' | 'maintenance' | 'dedicated';
  readonly name: string;
  readonly score: number;
}

/** Cores, MiB, MiB. */
export interface HostResources {
  readonly cpus: number;
  readonly ramMb: number;
  readonly diskMb: number;
}

export interface Target {
  readonly host: string;
  readonly agentId: string;
  readonly ports: Readonly<Record<string, number>>;
}

export interface SubmitRequest {
  readonly taskId: string;
  readonly config: TaskConfig;
  readonly instanceId: number;
  readonly groupHash: string;
  /** Set exactly when the core places (`placement === 'core'`). */
  readonly target?: Target;
  readonly excludeHosts?: readonly string[];
  readonly preferHost?: string;
  readonly preemptible: boolean;
  readonly revocable: boolean;
  readonly priority: number;
}

export interface KnownTask {
  readonly taskId: string;
  readonly status: ScheduleStatus;
  readonly host?: string;
  readonly agentId?: string;
  /** Its submit command is acknowledged. */
  readonly submitted: boolean;
}

/** What became of a reported status (tasks.md §2). */
export type StateChangeResult =
  'SUCCESS' | 'NOOP' | 'ILLEGAL' | 'ILLEGAL_WITH_SIDE_EFFECTS' | 'INVALID_CAS_STATE';

export interface StatusEvent {
  readonly taskId: string;
  readonly state: BackendState;
  readonly message?: string;
  /** When the backend saw it, wall ms; for logs only: task events carry the scheduler's time. */
  readonly atMs: number;
  readonly host?: string;
  readonly reason?: 'memory' | 'disk' | 'health' | 'reconciliation' | 'node' | 'other';
}

export interface HostEvent {
  readonly host: string;
  readonly agentId: string;
  readonly up: boolean;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  readonly total: HostResources;
  readonly free: HostResources;
  /** Ports that tasks may get here; absent: those of `-port_range`. */
  readonly portRanges?: readonly Range[];
  /** When an announced maintenance begins, wall ms (tasks.md §5.2, 2b). */
  readonly unavailableFromMs?: number;
}

export interface BackendSink {
  placed(event: { taskId: string } & Target): Promise<void>;
  unplaceable(event: { taskId: string; vetoes: readonly Veto[] }): Promise<void>;
  status(event: StatusEvent): Promise<StateChangeResult>;
  host(event: HostEvent): Promise<void>;
}

export type HostMode = 'NONE' | 'SCHEDULED' | 'DRAINING' | 'DRAINED';

/** The backend will never run what it was asked to: there is no use in asking again. */
export class LaunchRefusedError extends Error {
  override readonly name = 'LaunchRefusedError';
}

export interface ClusterBackend {
  readonly kind: 'local' | 'kubernetes' | 'simulated';
  /** Who chooses hosts: local and simulated leave it to the core. */
  readonly placement: 'core' | 'backend';
  /** Resolves after re-adoption (tasks.md §11.3): every known task was looked up and reported. */
  start(sink: BackendSink, known: readonly KnownTask[]): Promise<void>;
  submit(request: SubmitRequest): Promise<void>;
  /** Stop sequence with `graceSecs` between SIGTERM and SIGKILL; also withdraws an unplaced submit. */
  kill(taskId: string, graceSecs: number): Promise<void>;
  /** Answers arrive as status events, `lost` for an id that is asked for and not known. */
  reconcile(scope: { readonly taskIds: readonly string[] } | 'all'): Promise<void>;
  setHostMode(host: string, mode: HostMode): Promise<void>;
  stop(): Promise<void>;
}
