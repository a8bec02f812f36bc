/**
 * `/metrics`: the Prometheus view (operations.md §4.2). Some instruments are fed where the thing happens;
 * others are read off the variables of stats.ts, so that nobody has to count twice.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { BUCKETS, HotCounter, HotHistogram } from './hot-metrics.js';
import { isUntracked, type Snapshot, type Stats } from './stats.js';

interface View {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Variables that belong to it; the group is the value of the label. */
  readonly variables: RegExp;
  readonly label?: string;
}

const VIEWS: readonly View[] = [
  {
    name: 'aurora_leader',
    type: 'gauge',
    help: '1 on the active leader',
    variables: /^framework_registered$/,
  },
  {
    name: 'aurora_lifecycle_state',
    type: 'gauge',
    help: '1 for the state this scheduler is in',
    variables: /^scheduler_lifecycle_(.+)$/,
    label: 'state',
  },
  {
    name: 'aurora_tasks',
    type: 'gauge',
    help: 'Tasks stored',
    variables: /^task_store_(.+)$/,
    label: 'status',
  },
  {
    name: 'aurora_job_update_transitions_total',
    type: 'counter',
    help: 'Update events recorded',
    variables: /^update_transition_(.+)$/,
    label: 'status',
  },
  {
    name: 'aurora_job_update_instance_transitions_total',
    type: 'counter',
    help: 'Instance update events recorded',
    variables: /^update_instance_transition_(.+)$/,
    label: 'action',
  },
  {
    name: 'aurora_webhook_deliveries_total',
    type: 'counter',
    help: 'Webhook calls by outcome',
    variables: /^webhooks_(success|errors|user_errors)$/,
    label: 'result',
  },
  {
    name: 'aurora_backups_total',
    type: 'counter',
    help: 'Backups by outcome',
    variables: /^scheduler_backup_(success|failed)$/,
    label: 'result',
  },
  {
    name: 'aurora_var',
    type: 'gauge',
    help: 'Every number of /vars under its own name, less those kept per job',
    variables: /^(.+)$/,
    label: 'name',
  },
];

export class Metrics {
  readonly #registry = new Registry();
  /** Taken once per scrape. */
  #snapshot: Snapshot = {};

  readonly rpcRequests = this.#hotCounter('aurora_rpc_requests_total', 'API calls', [
    'method',
    'code',
  ]);
  readonly rpcSeconds = this.#hotSeconds('aurora_rpc_duration_seconds', 'API calls', ['method']);
  readonly httpRequests = this.#hotCounter('aurora_http_requests_total', 'HTTP requests', [
    'status',
    'path_group',
  ]);
  readonly httpSeconds = this.#hotSeconds('aurora_http_request_duration_seconds', 'HTTP requests', [
    'status',
    'path_group',
  ]);
  readonly taskTransitions = this.#counter(
    'aurora_task_transitions_total',
    'Task state changes',
    'from',
    'to',
  );
  /** `result`: ok, finished, unknown, not_ready. */
  readonly pulses = this.#counter('aurora_pulses_total', 'Heartbeats received', 'result');
  readonly pulseBlockedSteps = this.#counter(
    'aurora_pulse_blocked_steps_total',
    'Update steps denied for want of a heartbeat',
  );
  readonly leaseRenewSeconds = this.#seconds('aurora_lease_renew_seconds', 'Lease renewals');
  readonly fencedTransactions = this.#counter(
    'aurora_fenced_transactions_total',
    'Writes refused because another scheduler leads',
  );
  readonly dbSeconds = this.#seconds('aurora_db_transaction_seconds', 'Transactions', 'kind');
  readonly dbErrors = this.#counter(
    'aurora_db_transaction_errors_total',
    'Failed transactions',
    'sqlstate_class',
  );
  readonly backendCalls = this.#counter(
    'aurora_backend_calls_total',
    'Backend commands',
    'backend',
    'op',
    'result',
  );
  readonly backendSeconds = this.#seconds(
    'aurora_backend_call_seconds',
    'Backend commands',
    'backend',
    'op',
    'result',
  );
  /** `kind`: login, permission, bad_job_key. */
  readonly authFailures = this.#counter('aurora_auth_failures_total', 'Refused callers', 'kind');

  /** @param options.process also Node's own metrics: memory, event loop, garbage collection. */
  constructor(
    private readonly stats: Stats,
    options: { readonly process?: boolean } = {},
  ) {
    for (const view of VIEWS) this.#show(view);
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  /** A gauge read when somebody looks, e.g. `aurora_pulse_entries`. */
  gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read());
      },
    });
  }

  /** The text of `/metrics` and its content type. */
  async render(): Promise<{ readonly contentType: string; readonly body: string }> {
    this.#snapshot = this.stats.snapshot();
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #hotCounter(name: string, help: string, labels: readonly [string, string?]): HotCounter {
    return new HotCounter(this.#registry, name, help, labels);
  }

  #hotSeconds(name: string, what: string, labels: readonly [string, string?]): HotHistogram {
    return new HotHistogram(this.#registry, name, `${what}: time taken, seconds`, labels);
  }

  #counter<const L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> {
    return new Counter<L>({ name, help, labelNames, registers: [this.#registry] });
  }

  #seconds<const L extends string>(name: string, what: string, ...labelNames: L[]): Histogram<L> {
    const help = `${what}: time taken, seconds`;
    return new Histogram<L>({
      ...{ name, help, labelNames, registers: [this.#registry] },
      buckets: BUCKETS,
    });
  }

  #show({ name, type, help, label, variables }: View): void {
    const values = (): [Record<string, string>, number][] =>
      Object.entries(this.#snapshot).flatMap(([variable, value]) => {
        const match = variables.exec(variable);
        if (!match || typeof value !== 'number' || isUntracked(variable)) return [];
        return [[label === undefined ? {} : { [label]: match[1] ?? '' }, value]];
      });
    const common = {
      ...{ name, help, labelNames: label === undefined ? [] : [label] },
      registers: [this.#registry],
    };
    if (type === 'gauge') {
      new Gauge({
        ...common,
        collect() {
          this.reset();
          for (const [labels, value] of values()) this.set(labels, value);
        },
      });
    } else {
      new Counter({
        ...common,
        collect() {
          this.reset();
          for (const [labels, value] of values()) this.inc(labels, value);
        },
      });
    }
  }
}
