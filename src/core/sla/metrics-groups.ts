/** SLA figures under the names /vars shows (tasks.md §9.1): by job, of the whole cluster, and by size. */
import type { TaskConfig } from '../model/config.js';
import type { JobKey } from '../model/keys.js';
import { jobKeyText } from '../model/keys.js';
import type { ScheduleStatus } from '../model/statuses.js';
import { ACTIVE_STATES } from '../model/statuses.js';
import { requested } from '../schedule/host.js';
import type { PlatformTime, SlaEvent, TimeFrame } from './metrics.js';
import {
  ascending,
  platformTime,
  quantile,
  timeSinceLastEvent,
  uptimePercent,
  waitFor,
} from './metrics.js';

/** What the flags `-sla_prod_metrics` and `-sla_non_prod_metrics` choose from. */
export type SlaCategory = 'JOB_UPTIMES' | 'PLATFORM_UPTIME' | 'MEDIANS';

/** A stored task of a service. */
export interface SlaTask {
  readonly taskId: string;
  readonly job: JobKey;
  readonly instanceId: number;
  readonly status: ScheduleStatus;
  readonly config: Pick<TaskConfig, 'resources'>;
  /**
   * Oldest first. Enough are those from the last decisive one before the frame on, or all of them when one
   * is not before the frame.
   */
  readonly events: readonly SlaEvent[];
}

const PERCENTILES = [50, 75, 90, 95, 99];

const WAITS = [
  { name: 'mtta_ms', status: 'ASSIGNED' },
  { name: 'mtts_ms', status: 'STARTING' },
  { name: 'mttr_ms', status: 'RUNNING' },
] as const;

/** The largest amount each size stands for. */
const SIZES = ['small', 'medium', 'large', 'xlarge'] as const;
const RESOURCES = [
  { name: 'cpu', amount: 'cpus', upTo: [1, 4, 8, 16] },
  { name: 'ram', amount: 'ramMb', upTo: [1024, 8192, 16384, 32768] },
  { name: 'disk', amount: 'diskMb', upTo: [4096, 16384, 32768, 65536] },
] as const;

/** Of a job, of the cluster or of a size: what is summed up until its figures can be told. */
class Group {
  private readonly uptimesMs: number[] = [];
  private readonly waitsMs = WAITS.map((): number[] => []);
  private platform: PlatformTime = { upMs: 0, downMs: 0 };

  addUptime(ms: number): void {
    this.uptimesMs.push(ms);
  }

  addWaits(waits: readonly (number | undefined)[]): void {
    this.waitsMs.forEach((all, n) => {
      const wait = waits[n];
      if (wait !== undefined) all.push(wait);
    });
  }

  addPlatformTime({ upMs, downMs }: PlatformTime): void {
    const { platform } = this;
    this.platform = { upMs: platform.upMs + upMs, downMs: platform.downMs + downMs };
  }

  /** Metric names and values, of these categories. */
  figures(categories: ReadonlySet<SlaCategory>): [string, number][] {
    const figures: [string, number][] = [];
    if (categories.has('JOB_UPTIMES')) {
      const uptimes = ascending(this.uptimesMs);
      for (const percentile of PERCENTILES) {
        const ms = quantile(uptimes, (100 - percentile) / 100);
        figures.push([`job_uptime_${percentile.toFixed(2)}_sec`, ms / 1000]);
      }
    }
    if (categories.has('PLATFORM_UPTIME')) {
      figures.push(['platform_uptime_percent', uptimePercent(this.platform)]);
    }
    if (categories.has('MEDIANS')) {
      WAITS.forEach(({ name }, n) => {
        figures.push([name, quantile(ascending(this.waitsMs[n] ?? []), 0.5)]);
      });
    }
    return figures;
  }
}

const of = (...categories: SlaCategory[]): ReadonlySet<SlaCategory> => new Set(categories);
const OF_JOB = of('JOB_UPTIMES', 'PLATFORM_UPTIME', 'MEDIANS');
const OF_CLUSTER = of('PLATFORM_UPTIME', 'MEDIANS');
const OF_SIZE = of('MEDIANS');

/**
 * The figures of the tasks of one class, production or not. A group without a task has none. Only what a
 * group needs of its tasks is kept, and of a job that is through only its figures.
 */
export class SlaFigures {
  /** The cluster and the sizes. */
  private readonly wide = new Map<string, { categories: ReadonlySet<SlaCategory>; group: Group }>();
  /** By config: most tasks share theirs with others. */
  private readonly wideOf = new WeakMap<SlaTask['config'], readonly Group[]>();
  private job: { readonly text: string; readonly group: Group } | undefined;
  private instance: { readonly id: number; events: readonly SlaEvent[] } | undefined;

  /**
   * @param suffix ends every name
   * @param found gets the figures by name: of a job as soon as it is through, of the rest in `finish`
   */
  constructor(
    private readonly frame: TimeFrame,
    private readonly categories: ReadonlySet<SlaCategory>,
    private readonly suffix: '' | '_nonprod',
    private readonly found: Map<string, number>,
  ) {}

  /**
   * Tasks must come job by job, and those of a job instance by instance.
   *
   * @throws Error when a task reached a status without having been PENDING; its waits are not counted,
   *   everything else of it is
   */
  add(task: SlaTask): void {
    const job = this.enter(task);
    const groups = [job, ...this.wideGroupsOf(task.config)];
    if (task.status === 'RUNNING') job.addUptime(timeSinceLastEvent(task.events, this.frame));
    if (!this.categories.has('MEDIANS') || !ACTIVE_STATES.has(task.status)) return;
    const waits = WAITS.map(({ status }) => this.wait(task, status));
    for (const group of groups) group.addWaits(waits);
  }

  /**
   * Ends the last job. The cluster and each size are computed in a step of their own, so that the caller may
   * do something else in between: each may sort as many waits as there are tasks.
   */
  *finish(): Generator<undefined, void> {
    this.endJob();
    for (const [prefix, { categories, group }] of this.wide) {
      this.record(prefix, group, categories);
      yield;
    }
  }

  private wait(task: SlaTask, status: ScheduleStatus): number | undefined {
    try {
      return waitFor(status, task.events, this.frame);
    } catch (error) {
      throw new Error(`task ${task.taskId}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** The group of the task's job; what came before is ended where another job or instance begins. */
  private enter({ job, instanceId, events }: SlaTask): Group {
    const text = jobKeyText(job);
    if (this.job?.text !== text) {
      this.endJob();
      this.job = { text, group: new Group() };
    }
    if (this.instance?.id === instanceId) {
      this.instance.events = [...this.instance.events, ...events];
    } else {
      this.endInstance();
      this.instance = { id: instanceId, events };
    }
    return this.job.group;
  }

  private wideGroupsOf(config: SlaTask['config']): readonly Group[] {
    const known = this.wideOf.get(config);
    if (known !== undefined) return known;
    const amounts = requested(config);
    const sizes = RESOURCES.map(({ name, amount, upTo }) => {
      const size = SIZES[upTo.findIndex((most) => amounts[amount] <= most)] ?? 'xxlarge';
      return this.wideGroup(`sla_${name}_${size}_`, OF_SIZE);
    });
    const groups = [this.wideGroup(CLUSTER, OF_CLUSTER), ...sizes];
    this.wideOf.set(config, groups);
    return groups;
  }

  private wideGroup(prefix: string, categories: ReadonlySet<SlaCategory>): Group {
    const known = this.wide.get(prefix);
    if (known !== undefined) return known.group;
    const group = new Group();
    this.wide.set(prefix, { categories, group });
    return group;
  }

  private endInstance(): void {
    if (this.instance === undefined) return;
    const time = platformTime(this.instance.events, this.frame);
    this.job?.group.addPlatformTime(time);
    this.wideGroup(CLUSTER, OF_CLUSTER).addPlatformTime(time);
    this.instance = undefined;
  }

  private endJob(): void {
    this.endInstance();
    if (this.job !== undefined) this.record(`sla_${this.job.text}_`, this.job.group, OF_JOB);
    this.job = undefined;
  }

  private record(prefix: string, group: Group, ofGroup: ReadonlySet<SlaCategory>): void {
    const wanted = new Set([...ofGroup].filter((category) => this.categories.has(category)));
    for (const [name, value] of group.figures(wanted)) {
      this.found.set(`${prefix}${name}${this.suffix}`, value);
    }
  }
}

const CLUSTER = 'sla_cluster_';
