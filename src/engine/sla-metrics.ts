/**
 * Publishes the SLA figures of services (tasks.md §9.1) as gauges. A pass over all stored tasks goes page by
 * page and lets others have their turn in between, so that a hundred thousand tasks hold up no heartbeat;
 * only the figures of a pass stay in memory. Reading asks nobody: no lane, no transaction.
 */
import type { SlaCategory } from '../core/sla/metrics-groups.js';
import { SlaFigures } from '../core/sla/metrics-groups.js';
import type { TimeFrame } from '../core/sla/metrics.js';
import type { Log } from '../observe/log.js';
import type { Stats } from '../observe/stats.js';
import type { ConfigStore } from '../store/configs.js';
import type { Database, Queries } from '../store/database.js';
import type { TaskOnPage } from '../store/sla-metrics.js';
import { findSlaEvents, taskPages } from '../store/sla-metrics.js';
import type { Clock, Timers } from '../time.js';
import { Rounds } from './rounds.js';

export interface SlaMetricsSettings {
  /** `-sla_stat_refresh_interval`, ms: between two passes, and the length of their time frame. */
  readonly intervalMs: number;
  /** `-sla_prod_metrics` */
  readonly production: readonly SlaCategory[];
  /** `-sla_non_prod_metrics` */
  readonly nonProduction: readonly SlaCategory[];
}

export interface SlaMetricsOptions {
  readonly db: Database;
  readonly configs: ConfigStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly stats: Stats;
  readonly log: Log;
  readonly settings: SlaMetricsSettings;
}

/** Tasks of one look at the store. */
const PAGE_SIZE = 500;
/** Gauges that come or go in one turn of the event loop. */
const GAUGES_A_TURN = 2_000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class SlaMetrics {
  private values: ReadonlyMap<string, number> = new Map();
  private readonly shown = new Set<string>();
  private readonly rounds: Rounds;

  constructor(private readonly options: SlaMetricsOptions) {
    const { timers, log, settings } = options;
    this.rounds = new Rounds({
      ...{ timers, log, intervalMs: settings.intervalMs, round: () => this.pass() },
      failure: 'SLA figures could not be computed; trying again',
    });
  }

  /** A pass is under way. */
  get busy(): boolean {
    return this.rounds.busy;
  }

  /** The first pass comes after one interval; none comes where no figures are wanted. */
  start(): void {
    const { production, nonProduction } = this.options.settings;
    if (production.length + nonProduction.length > 0) this.rounds.start();
  }

  stop(): void {
    this.rounds.stop();
    for (const name of this.shown) this.options.stats.removeGauge(name);
  }

  /** What fails leaves the gauges as they are. */
  private async pass(): Promise<void> {
    try {
      await this.publish(await this.compute());
    } catch (error) {
      if (!this.rounds.stopped) throw error;
    }
  }

  private async compute(): Promise<ReadonlyMap<string, number>> {
    const { clock, settings, log } = this.options;
    const endMs = clock.wallNow();
    const frame = { startMs: endMs - settings.intervalMs, endMs };
    const found = new Map<string, number>();
    const figuresOf = (categories: readonly SlaCategory[], suffix: '' | '_nonprod') =>
      new SlaFigures(frame, new Set(categories), suffix, found);
    const figures = {
      production: figuresOf(settings.production, ''),
      nonProduction: figuresOf(settings.nonProduction, '_nonprod'),
    };
    let problems = 0;
    let firstProblem: unknown;
    await this.options.db.snapshot(async (queries) => {
      for await (const page of taskPages(queries, PAGE_SIZE)) {
        if (this.rounds.stopped) return;
        for (const { isOf, task } of await this.withEvents(queries, page, frame)) {
          try {
            figures[isOf].add(task);
          } catch (error) {
            firstProblem ??= error;
            problems += 1;
          }
        }
      }
    });
    if (problems > 0) {
      const facts = { err: firstProblem, tasks: problems };
      log.warn(
        facts,
        'tasks whose history lacks its beginning have no waits among the SLA figures',
      );
    }
    for (const one of [figures.production, figures.nonProduction]) {
      const steps = one.finish();
      while (!steps.next().done) await turn();
    }
    return found;
  }

  /** The services on a page that have figures, with the events these depend on. */
  private async withEvents(queries: Queries, page: readonly TaskOnPage[], frame: TimeFrame) {
    const { configs, settings } = this.options;
    const configOf = await configs.load(
      queries,
      page.map((task) => task.configHash),
    );
    const wanted = page.flatMap((task) => {
      const { config } = configOf(task.configHash);
      const isOf = config.production ? ('production' as const) : ('nonProduction' as const);
      return config.isService && settings[isOf].length > 0 ? [{ task, config, isOf }] : [];
    });
    const eventsOf = await findSlaEvents(
      queries,
      wanted.map(({ task }) => task.taskId),
      frame,
    );
    return wanted.map(({ task, config, isOf }) => ({
      isOf,
      task: { ...task, config, events: eventsOf.get(task.taskId) ?? [] },
    }));
  }

  /** New values appear together; gauges that are new or gone come and go in a few turns. */
  private async publish(values: ReadonlyMap<string, number>): Promise<void> {
    const { stats } = this.options;
    this.values = values;
    let count = 0;
    for (const name of values.keys()) {
      if (!this.shown.has(name)) stats.gauge(name, () => this.values.get(name) ?? 0);
      this.shown.add(name);
      if (++count % GAUGES_A_TURN === 0) await turn();
      if (this.rounds.stopped) return;
    }
    for (const name of this.shown) {
      if (!values.has(name)) stats.removeGauge(name);
      if (!values.has(name)) this.shown.delete(name);
      if (++count % GAUGES_A_TURN === 0) await turn();
    }
  }
}
