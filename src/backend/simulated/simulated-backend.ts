/**
 * The cluster backend over a SimulatedCluster: no processes, the same contract (backend.ts).
 * It accepts any executor data and container form (thermos.md §5, row `simulated`).
 */
import type {
  BackendSink,
  ClusterBackend,
  HostMode,
  KnownTask,
  StatusEvent,
  SubmitRequest,
} from '../backend.js';
import { EventDelivery, type DeliveryOptions } from '../supervised.js';
import { SLAVE_ASSIGNED_STATES, TERMINAL_STATES } from '../../core/model/statuses.js';
import type { Clock } from '../../time.js';
import { Turns } from '../../time.js';
import {
  currentStatus,
  isEnded,
  type SimulatedCluster,
  type SimulatedListener,
} from './simulated-cluster.js';

export interface SimulatedBackendOptions extends DeliveryOptions {
  readonly clock: Clock;
}

export class SimulatedBackend implements ClusterBackend {
  readonly kind = 'simulated';
  readonly placement = 'core';
  #delivery: EventDelivery | undefined;
  readonly #listener: SimulatedListener = {
    status: (event) => void this.#delivery?.status(event),
    host: (event) => void this.#delivery?.host(event),
  };

  constructor(
    readonly cluster: SimulatedCluster,
    private readonly options: SimulatedBackendOptions,
  ) {}

  /** Sink promises that are open now; a fake-time world waits for 0 (see also `idle`). */
  get pendingEvents(): number {
    return this.#delivery?.pendingEvents ?? 0;
  }

  /** Resolves when no sink promise is open; events that wait for their repetition do not count. */
  idle(): Promise<void> {
    return this.#delivery?.idle() ?? Promise.resolve();
  }

  async start(sink: BackendSink, known: readonly KnownTask[]): Promise<void> {
    const delivery = new EventDelivery(sink, this.options);
    this.#delivery = delivery;
    this.cluster.attach(this.#listener);
    const answered: Promise<void>[] = [];
    const knownIds = new Set(known.map((task) => task.taskId));
    const turns = new Turns();
    for (const task of known) {
      const event = this.#adopted(task);
      if (event !== undefined) answered.push(delivery.status(event));
      if (turns.isDue()) await turns.pause();
    }
    for (const task of this.cluster.liveTasks()) {
      const event = currentStatus(task, this.options.clock.wallNow());
      if (event !== undefined && !knownIds.has(task.taskId)) answered.push(delivery.status(event));
    }
    await Promise.all(answered);
    // After the tasks, so that a host that is gone is reported behind its losses.
    await Promise.all(this.cluster.hostEvents().map((event) => delivery.host(event)));
  }

  submit(request: SubmitRequest): Promise<void> {
    return settled(() => this.cluster.submit(request));
  }

  kill(taskId: string): Promise<void> {
    return settled(() => {
      const task = this.cluster.task(taskId);
      if (task === undefined) {
        void this.#delivery?.status(this.#lost(taskId, 'Unknown task.'));
      } else if (isEnded(task.state)) {
        this.#say(taskId);
      } else {
        this.cluster.kill(taskId);
      }
    });
  }

  reconcile(scope: { readonly taskIds: readonly string[] } | 'all'): Promise<void> {
    return settled(() => {
      if (scope === 'all') {
        for (const task of this.cluster.liveTasks()) this.#say(task.taskId);
        return;
      }
      for (const taskId of scope.taskIds) {
        if (this.cluster.task(taskId) !== undefined) this.#say(taskId);
        else
          void this.#delivery?.status({
            ...this.#lost(taskId, 'Unknown task.'),
            reason: 'reconciliation',
          });
      }
    });
  }

  setHostMode(host: string, mode: HostMode): Promise<void> {
    return settled(() => this.cluster.setHostMode(host, mode));
  }

  stop(): Promise<void> {
    return settled(() => {
      this.cluster.detach(this.#listener);
      this.#delivery?.stop();
    });
  }

  /** What start says about a task the core knows (tasks.md §11.3). */
  #adopted(known: KnownTask): StatusEvent | undefined {
    const found = this.cluster.task(known.taskId);
    if (found !== undefined) {
      if (isEnded(found.state) && TERMINAL_STATES.has(known.status)) return undefined;
      const event = currentStatus(found, this.options.clock.wallNow());
      // KILLED is illegal for a PARTITIONED task (tasks.md §11.2 rule 8).
      if (event?.state === 'killed' && known.status === 'PARTITIONED') {
        return { ...event, state: 'lost' };
      }
      return event;
    }
    if (!SLAVE_ASSIGNED_STATES.has(known.status) || !known.submitted) return undefined;
    return this.#lost(known.taskId, 'Not found after a restart of the scheduler.');
  }

  #say(taskId: string): void {
    const task = this.cluster.task(taskId);
    if (task === undefined) return;
    const event = currentStatus(task, this.options.clock.wallNow());
    if (event !== undefined) void this.#delivery?.status(event);
  }

  #lost(taskId: string, message: string): StatusEvent {
    return { taskId, state: 'lost', message, atMs: this.options.clock.wallNow() };
  }
}

/** Runs it later than the caller, as a network would, and turns a throw into a rejection. */
async function settled(work: () => void): Promise<void> {
  await Promise.resolve();
  work();
}
