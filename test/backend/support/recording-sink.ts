/** A core that writes down what it is told, and can be made to refuse it. */
import type {
  BackendSink,
  BackendState,
  HostEvent,
  StateChangeResult,
  StatusEvent,
} from '../../../src/backend/backend.js';

const ENDED: ReadonlySet<BackendState> = new Set(['finished', 'failed', 'killed', 'lost']);

export class RecordingSink implements BackendSink {
  /** Everything told, repetitions and refused ones included. */
  readonly told: StatusEvent[] = [];
  readonly hosts: HostEvent[] = [];
  /** What the core made of it: per task the distinct states it went through. */
  readonly stored = new Map<string, BackendState[]>();
  /** Throw to refuse an event. */
  refuse: (event: StatusEvent) => void = () => {};

  placed(): Promise<void> {
    return Promise.resolve();
  }

  unplaceable(): Promise<void> {
    return Promise.resolve();
  }

  async status(event: StatusEvent): Promise<StateChangeResult> {
    await Promise.resolve();
    this.told.push(event);
    this.refuse(event);
    const states = this.stored.get(event.taskId) ?? [];
    const last = states[states.length - 1];
    if (last === event.state) return 'NOOP';
    if (last !== undefined && ENDED.has(last)) return 'ILLEGAL';
    this.stored.set(event.taskId, [...states, event.state]);
    return 'SUCCESS';
  }

  async host(event: HostEvent): Promise<void> {
    await Promise.resolve();
    this.hosts.push(event);
  }

  states(taskId: string): BackendState[] {
    return this.told.filter((event) => event.taskId === taskId).map((event) => event.state);
  }

  last(taskId: string): StatusEvent | undefined {
    return this.told.filter((event) => event.taskId === taskId).pop();
  }

  ended(taskId: string): boolean {
    const last = this.last(taskId);
    return last !== undefined && ENDED.has(last.state);
  }
}
