import type { RunContext } from '../../../src/core/thermos/document.js';
import type { ProcessPlan, Schedule } from '../../../src/core/thermos/plan.js';
import {
  Planner,
  type PlannerAction,
  type PlannerEvent,
  type PlannerState,
} from '../../../src/core/thermos/planner.js';

export function aProcess(name: string, overrides: Partial<ProcessPlan> = {}): ProcessPlan {
  return {
    name,
    cmdline: 'true',
    maxFailures: 1,
    daemon: false,
    ephemeral: false,
    final: false,
    minDurationSecs: 5,
    ...overrides,
  };
}

export function aSchedule(
  processes: readonly ProcessPlan[],
  overrides: Partial<Schedule> = {},
): Schedule {
  return {
    processes,
    order: [],
    maxFailures: 1,
    maxConcurrency: 0,
    finalizationWaitSecs: 30,
    ...overrides,
  };
}

/** Pairs of a chain: [a,b,c] → a before b, b before c. */
export function chain(...names: string[]): [string, string][] {
  return names.slice(1).map((name, at) => [names[at] as string, name]);
}

/** A planner with its state, times in seconds. */
export class Drive {
  readonly planner: Planner;
  state: PlannerState;
  readonly log: string[] = [];
  #now = 0;

  constructor(schedule: Schedule, maxRuns?: number) {
    this.planner = new Planner(schedule, maxRuns);
    this.state = this.planner.initial();
  }

  begin(): string[] {
    return this.#step({ type: 'begin', now: 0 });
  }

  /** The process' run ends at this time. */
  ends(
    process: string,
    outcome: 'success' | 'failed' | 'killed' | 'lost',
    atSecs: number,
  ): string[] {
    this.#now = atSecs * 1000;
    return this.#step({ type: 'ended', process, outcome, now: this.#now });
  }

  tick(atSecs: number, orphans = 0): string[] {
    this.#now = atSecs * 1000;
    return this.#step({ type: 'tick', now: this.#now, orphans });
  }

  kill(graceSecs: number, atSecs: number): string[] {
    this.#now = atSecs * 1000;
    return this.#step({ type: 'kill', graceMs: graceSecs * 1000, now: this.#now });
  }

  status(process: string): string | undefined {
    return this.state.processes.get(process)?.status;
  }

  runnable(atSecs: number): string[] {
    return this.planner.runnable(this.state, atSecs * 1000);
  }

  /** In seconds. */
  nextTick(atSecs: number): number | undefined {
    const next = this.planner.nextTick(this.state, atSecs * 1000);
    return next === undefined ? undefined : next / 1000;
  }

  get complete(): boolean {
    return this.planner.isComplete(this.state);
  }

  #step(event: PlannerEvent): string[] {
    const { state, actions } = this.planner.step(this.state, event);
    this.state = state;
    const texts = actions.map(actionText);
    this.log.push(...texts);
    return texts;
  }
}

function actionText(action: PlannerAction): string {
  if (action.type === 'start') return `start ${action.process}`;
  return action.type === 'done' ? `done ${action.result}` : action.type;
}

export const aContext: RunContext = {
  taskId: 'role-env-job-7-uuid',
  instanceId: 7,
  hostname: 'test_host',
  user: 'www-data',
  assignedPorts: {},
};

/** A document of the smallest form (thermos.md §1.6) with these fields on top. */
export function aDocument(
  task: Record<string, unknown> = {},
  top: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    task: {
      processes: [{ name: 'main', cmdline: 'true' }],
      resources: { cpu: 0.1, ram: 16777216, disk: 16777216 },
      ...task,
    },
    ...top,
  });
}
