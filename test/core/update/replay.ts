/**
 * Plays a whole update on the pure `tick`: a job's tasks, a clock in ms, watch timers, the gate and verbs.
 *
 * It does what the engine has to do around a tick, in its simplest form: inputs in FIFO order, one verdict
 * for each, stale inputs dropped, state kept only from an outcome, the updater discarded whenever the gate
 * closes or a verb intervenes and rebuilt from the stored actions. The log has one line for each input or
 * verb that wrote or did something, e.g. `50 ok 2; upd 3,4,5; KILL+reserve 3,4,5` (seconds first).
 */
import type { StoredConfig } from '../../../src/core/model/config.js';
import type {
  ExplicitUpdateStatus,
  ScheduleStatus,
  UpdateAction,
  UpdateStatus,
} from '../../../src/core/model/statuses.js';
import {
  TERMINAL_STATES,
  isAwaitingPulse,
  isRolling,
  isTerminalUpdate,
} from '../../../src/core/model/statuses.js';
import type { Heartbeat, Verdict } from '../../../src/core/update/gate.js';
import { gate, viewStatus } from '../../../src/core/update/gate.js';
import type { InstanceTask } from '../../../src/core/update/instance-evaluator.js';
import {
  MSG_AUTO_PAUSED,
  MSG_GATE_TIMEOUT,
  msgInstanceFailed,
} from '../../../src/core/update/messages.js';
import type { ChangedInstance, UpdaterState } from '../../../src/core/update/one-way-updater.js';
import { advance } from '../../../src/core/update/one-way-updater.js';
import type { UpdatePlan } from '../../../src/core/update/plan.js';
import { buildUpdater, targetConfig } from '../../../src/core/update/plan.js';
import { awaitingOf } from '../../../src/core/update/status-table.js';
import type { ActionSet, Step, TickEvent, TickOutcome } from '../../../src/core/update/tick.js';
import { hasAction, tick, withAction } from '../../../src/core/update/tick.js';
import type { Verb } from '../../../src/core/update/verbs.js';
import { decideStart, decideVerb } from '../../../src/core/update/verbs.js';

export interface SimTask {
  readonly taskId: string;
  readonly instanceId: number;
  readonly config: StoredConfig;
  status: ScheduleStatus;
  everKilling: boolean;
  newest: { readonly id: string; readonly at: number };
}

const STATUS_NAMES: Partial<Record<UpdateStatus, string>> = {
  ROLLING_FORWARD: 'RF',
  ROLLING_BACK: 'RB',
  ROLL_FORWARD_PAUSED: 'RFP',
  ROLL_BACK_PAUSED: 'RBP',
  ROLL_FORWARD_AWAITING_PULSE: 'RFA',
  ROLL_BACK_AWAITING_PULSE: 'RBA',
};
export const abbreviation = (status: UpdateStatus): string => STATUS_NAMES[status] ?? status;

const ACTION_NAMES: Record<UpdateAction, string> = {
  INSTANCE_UPDATED: 'ok',
  INSTANCE_ROLLED_BACK: 'rbok',
  INSTANCE_UPDATING: 'upd',
  INSTANCE_ROLLING_BACK: 'rb',
  INSTANCE_UPDATE_FAILED: 'bad',
  INSTANCE_ROLLBACK_FAILED: 'rbbad',
};

/** Equal texts mean equal states. */
function fingerprint(updater: UpdaterState): string {
  return JSON.stringify(updater, (_name, value: unknown) =>
    value instanceof Map || value instanceof Set ? [...(value as Iterable<unknown>)] : value,
  );
}

/** One committed tick, for properties that look inside. */
export interface TickRecord {
  /** The updater that goes on, already advanced; undefined when the tick was its last. */
  readonly updater: UpdaterState | undefined;
  readonly outcome: TickOutcome;
}

export class Replay {
  now = 0;
  state: ExplicitUpdateStatus = 'ROLLING_FORWARD';
  readonly log: string[] = [];
  readonly updateEvents: UpdateStatus[] = [];
  readonly instanceEvents: { readonly instanceId: number; readonly action: UpdateAction }[] = [];
  readonly steps: Step[] = [];
  readonly ticks: TickRecord[] = [];
  /** Active task of each instance. */
  readonly tasks = new Map<number, SimTask>();

  private updater: UpdaterState | undefined;
  private readonly actions = new Map<number, ActionSet>();
  private readonly released = new Set<number>();
  private readonly inputs: { instanceId: number; task?: SimTask; status?: ScheduleStatus }[] = [];
  private timers: { readonly at: number; readonly instanceId: number; readonly event: string }[] =
    [];
  /** Tasks deleted without ever having run. */
  private readonly gone = new Set<SimTask>();
  private heartbeat: Heartbeat | undefined;
  private line: string[] = [];
  private serial = 0;

  /** @param tasks instances that have been RUNNING for ever, and their configs */
  constructor(
    readonly plan: UpdatePlan,
    tasks: Iterable<readonly [number, StoredConfig]>,
  ) {
    for (const [instanceId, config] of tasks) {
      this.insert(instanceId, config, 'RUNNING', Number.NEGATIVE_INFINITY);
    }
  }

  get ended(): boolean {
    return isTerminalUpdate(this.state);
  }

  get view(): UpdateStatus {
    return viewStatus(this.state, this.verdict());
  }

  /** `upd,ok` and the like, by instance. */
  get story(): Record<number, string> {
    const story: Record<number, string> = {};
    for (const { instanceId, action } of this.instanceEvents) {
      const before = story[instanceId];
      story[instanceId] = `${before === undefined ? '' : `${before},`}${ACTION_NAMES[action]}`;
    }
    return story;
  }

  /** `abbreviated status` of the update events, in order. */
  get path(): string[] {
    return this.updateEvents.map(abbreviation);
  }

  start(): this {
    const { status, evaluate } = decideStart(this.plan.settings.pulseTimeoutMs);
    this.addUpdateEvent(status, 'u');
    if (evaluate) this.evaluate([]);
    return this.settle();
  }

  pulse(): this {
    this.heartbeat = { mono: this.now, wall: this.now };
    if (this.lastEventAwaits()) this.run([]);
    return this.settle();
  }

  verb(verb: Verb): this {
    const decision = decideVerb(verb, this.state, this.verdict());
    if (decision.kind === 'refused') throw new Error(decision.message);
    if (decision.kind === 'change') {
      this.state = decision.state;
      this.updater = undefined;
      for (const event of decision.events) {
        this.addUpdateEvent(event.status, event.audited ? 'u' : this.shorten(event.message));
      }
      if (decision.evaluate) this.evaluate([]);
    }
    return this.settle();
  }

  /** A new process: what was only in memory is lost, and a rolling update has its boot tick. */
  restart(): this {
    this.updater = undefined;
    this.heartbeat = undefined;
    this.timers = [];
    this.run([]);
    return this.settle();
  }

  /** The cluster reports a status of these instances' active tasks, one after the other. */
  report(status: ScheduleStatus, ...instanceIds: number[]): this {
    for (const id of instanceIds) this.move(this.activeTask(id), status);
    return this.settle();
  }

  /** What the updater kills ends, and what it adds comes up. */
  replace(...instanceIds: number[]): this {
    for (const id of instanceIds) {
      if (this.tasks.get(id)?.status === 'KILLING') this.report('KILLED', id);
    }
    return this.comeUp(...instanceIds);
  }

  comeUp(...instanceIds: number[]): this {
    this.report('ASSIGNED', ...instanceIds);
    this.report('STARTING', ...instanceIds);
    return this.report('RUNNING', ...instanceIds);
  }

  /** Lets time pass and the timers in it fire. */
  until(seconds: number): this {
    for (;;) {
      const due = this.timers
        .filter((timer) => timer.at <= seconds * 1000)
        .sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.splice(this.timers.indexOf(due), 1);
      this.now = due.at;
      this.run([this.changed(due.instanceId, this.tasks.get(due.instanceId))]);
      this.settle();
    }
    this.now = seconds * 1000;
    return this;
  }

  private activeTask(id: number): SimTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw new Error(`instance ${id} has no active task`);
    return task;
  }

  private insert(id: number, config: StoredConfig, status: ScheduleStatus, at: number): SimTask {
    const taskId = `${id}-${this.serial++}`;
    const task: SimTask = {
      taskId,
      instanceId: id,
      config,
      status,
      everKilling: false,
      newest: { id: `${taskId}-${status}`, at },
    };
    this.tasks.set(id, task);
    return task;
  }

  /** A task's change of state, and the replacement of one that ended without being told to. */
  private move(task: SimTask, status: ScheduleStatus): void {
    task.status = status;
    task.everKilling ||= status === 'KILLING';
    task.newest = { id: `${task.taskId}-${status}-${this.serial++}`, at: this.now };
    this.inputs.push({ instanceId: task.instanceId, task, status });
    if (!TERMINAL_STATES.has(status)) return;
    this.tasks.delete(task.instanceId);
    if (!task.everKilling) this.pend(task.instanceId, task.config);
  }

  private pend(id: number, config: StoredConfig): void {
    const task = this.insert(id, config, 'PENDING', this.now);
    this.inputs.push({ instanceId: id, task, status: 'PENDING' });
  }

  /** Takes a step; false when there was nothing (left) to do. */
  private act({ instanceId, kind, direction }: Step): boolean {
    const task = this.tasks.get(instanceId);
    switch (kind) {
      case 'WATCH': {
        // A timer of this task event may be running: the one of an older event asked again.
        const event = task?.newest.id;
        if (event === undefined || this.timers.some((timer) => timer.event === event)) return false;
        const at = this.now + this.plan.settings.minWaitInRunningMs;
        this.timers.push({ at, instanceId, event });
        return true;
      }
      case 'ADD': {
        const config = targetConfig(this.plan, direction, instanceId);
        if (config === undefined) throw new Error(`no config to add instance ${instanceId} with`);
        if (task !== undefined) return false;
        this.pend(instanceId, config);
        return true;
      }
      case 'KILL':
      case 'KILL_AND_RESERVE':
        if (task === undefined) return false;
        if (task.status === 'PENDING') {
          this.tasks.delete(instanceId);
          this.gone.add(task);
          this.inputs.push({ instanceId });
        } else {
          this.move(task, 'KILLING');
        }
        return true;
    }
  }

  private settle(): this {
    this.flush();
    for (let input = this.inputs.shift(); input !== undefined; input = this.inputs.shift()) {
      const { instanceId, task, status } = input;
      const isStale = task !== undefined && (task.status !== status || this.gone.has(task));
      if (!isStale) this.run([this.changed(instanceId, task)]);
      this.flush();
    }
    return this;
  }

  private flush(): void {
    if (this.line.length > 0) this.log.push(`${this.now / 1000} ${this.line.join('; ')}`);
    this.line = [];
  }

  private changed(instanceId: number, task: SimTask | undefined): ChangedInstance {
    return { instanceId, task: task === undefined ? undefined : this.seen(task) };
  }

  private seen(task: SimTask): InstanceTask {
    return {
      taskId: task.taskId,
      status: task.status,
      configHash: task.config.hash,
      everKilling: task.everKilling,
      newestEvent: { id: task.newest.id, ageMs: this.now - task.newest.at },
    };
  }

  private verdict(): Verdict {
    return gate(this.plan.settings.pulseTimeoutMs, this.heartbeat, this.now);
  }

  private lastEventAwaits(): boolean {
    const last = this.updateEvents[this.updateEvents.length - 1];
    return last !== undefined && isAwaitingPulse(last);
  }

  /** One input at the lane's head: verdict, then episode or tick. */
  private run(changed: readonly ChangedInstance[]): void {
    const { state } = this;
    if (!isRolling(state)) return;
    if (this.verdict() === 'closed') {
      if (!this.lastEventAwaits()) this.addUpdateEvent(awaitingOf(state), 'timeout');
      this.updater = undefined;
      return;
    }
    if (this.lastEventAwaits()) {
      this.addUpdateEvent(state);
      this.updater = undefined;
    }
    this.evaluate(changed);
  }

  private evaluate(changed: readonly ChangedInstance[]): void {
    const bad = [...this.actions].filter(([, set]) => hasAction(set, 'INSTANCE_UPDATE_FAILED'));
    const updater = (this.updater ??= buildUpdater(
      this.plan,
      this.state === 'ROLLING_BACK' ? 'reverse' : 'forward',
      new Set(bad.map(([id]) => id)),
    ));
    const outcome = this.ask(updater, changed);
    this.state = outcome.state;
    for (const event of outcome.events) this.addEvent(event);
    for (const id of outcome.released) this.released.add(id);
    this.updater = outcome.next?.updater;
    if (outcome.next !== undefined) advance(outcome.next.updater, outcome.next.change);
    this.ticks.push({ updater: this.updater, outcome });
    for (const step of outcome.steps) {
      this.steps.push(step);
      const name = step.kind === 'KILL_AND_RESERVE' ? 'KILL+reserve' : step.kind;
      if (this.act(step)) this.say(name, step.instanceId);
    }
  }

  /** Answers the tick's questions for tasks until it has what it needs, and checks that it is pure. */
  private ask(updater: UpdaterState, changed: readonly ChangedInstance[]): TickOutcome {
    const tasks = new Map<number, InstanceTask | null>();
    const before = fingerprint(updater);
    const history = { actions: this.actions, autopauseReleased: this.released };
    for (;;) {
      const answer = tick({ plan: this.plan, updater, changed, tasks, history });
      if (fingerprint(updater) !== before) throw new Error('tick changed its updater');
      if (!('need' in answer)) return answer;
      if (answer.need.length === 0 || answer.need.some((id) => tasks.has(id))) {
        throw new Error(`tick asks for ${answer.need.join()} in vain`);
      }
      for (const id of answer.need) {
        const task = this.tasks.get(id);
        tasks.set(id, task === undefined ? null : this.seen(task));
      }
    }
  }

  private addEvent(event: TickEvent): void {
    if (event.kind === 'update') {
      this.addUpdateEvent(event.status, this.shorten(event.message));
      return;
    }
    const { instanceId, action } = event;
    this.actions.set(instanceId, withAction(this.actions.get(instanceId) ?? 0, action));
    this.instanceEvents.push({ instanceId, action });
    this.say(ACTION_NAMES[action], instanceId);
  }

  private addUpdateEvent(status: UpdateStatus, note?: string): void {
    this.updateEvents.push(status);
    this.line.push(abbreviation(status) + (note === undefined ? '' : `(${note})`));
  }

  /** Adds `what id` to the line, or the id alone when the same was just said of another instance. */
  private say(what: string, id: number): void {
    const last = this.line.length - 1;
    if (this.line[last]?.startsWith(`${what} `) === true) this.line[last] += `,${id}`;
    else this.line.push(`${what} ${id}`);
  }

  private shorten(message: string | undefined): string | undefined {
    if (message === MSG_GATE_TIMEOUT) return 'timeout';
    if (message === MSG_AUTO_PAUSED) return 'auto';
    const ids = [...this.plan.initial.keys(), ...this.plan.desiredIds];
    const culprit = ids.find((id) => msgInstanceFailed(id) === message);
    return culprit === undefined ? message : `${culprit} failed`;
  }
}
