/** executorConfig.data → process plan: parse, defaults, binding, rules (thermos.md §1). */
import { orderPairs } from './order.js';
import type { LifecyclePlan, LoggerPlan, ProcessPlan, TaskPlan } from './plan.js';
import { resolvePorts, type PortMap } from './ports.js';
import { defect } from './problem.js';
import {
  INSTANCE_DOCUMENT,
  JOB_DOCUMENT,
  UNREAD,
  readLeniently,
  readObject,
  scalar,
  type ScalarKind,
} from './schema.js';
import {
  bindNode,
  isList,
  newBudget,
  nodeScope,
  type Budget,
  type Node,
  type NodeObject,
  type Scope,
} from './templates.js';

/** What is known of a task when it starts; references of `mesos.*` and `thermos.*` are bound to it. */
export interface RunContext {
  readonly taskId: string;
  readonly instanceId: number;
  readonly hostname: string;
  /** Whom the processes run as. */
  readonly user: string;
  readonly assignedPorts: Readonly<Record<string, number>>;
}

/** Reads and binds a document; throws DocumentProblem (F0) where it breaks a rule of thermos.md §1. */
export function readPlan(data: string, context: RunContext): TaskPlan {
  return new Reader(data, context).plan();
}

const PROCESS_NAME = /^[^./\0][^/\0]*$/;

class Reader {
  readonly #root: NodeObject;
  readonly #budget: Budget = newBudget();
  readonly #outer: readonly Scope[];

  constructor(
    data: string,
    private readonly context: RunContext,
  ) {
    const raw = parse(data);
    const isInstance = Object.hasOwn(raw, 'instance');
    const read = readObject(raw, isInstance ? INSTANCE_DOCUMENT : JOB_DOCUMENT, '$', false);
    this.#root = Object.assign(isInstance ? {} : readLeniently(raw, UNREAD), read);
    this.#outer = isInstance
      ? [nodeScope(this.#root)]
      : [
          nodeScope(this.#root),
          values({ mesos: { instance: String(context.instanceId), hostname: context.hostname } }),
        ];
  }

  plan(): TaskPlan {
    const announce = this.#bound('announce', []);
    const { assignedPorts, taskId, user } = this.context;
    const ports = resolvePorts((object(announce)['portmap'] ?? {}) as PortMap, assignedPorts);
    this.#checkNames();
    const portTexts = Object.fromEntries(Object.entries(ports).map(([k, v]) => [k, String(v)]));
    const task = object(
      this.#bound('task', [values({ thermos: { task_id: taskId, user, ports: portTexts } })]),
    );
    const processes = list(task['processes']).map(processPlan);
    refuseDuplicates(processes);
    const lifecycle = lifecyclePlan(object(this.#bound('lifecycle', [])), ports);
    return {
      name: textOf(task['name']),
      processes,
      order: orderPairs(processes, list(task['constraints']).flatMap(orderList)),
      maxFailures: int(task, 'max_failures', '$.task'),
      maxConcurrency: int(task, 'max_concurrency', '$.task'),
      finalizationWaitSecs: Math.max(0, int(task, 'finalization_wait', '$.task')),
      ports,
      ...(lifecycle !== undefined && { lifecycle }),
      healthCheck: this.#healthCheck(ports),
      announce: announce !== undefined,
    };
  }

  #bound(key: string, scopes: readonly Scope[], partly = false): Node | undefined {
    const node = this.#root[key];
    if (node === undefined) return undefined;
    return bindNode(node, [...this.#outer, ...scopes], `$.${key}`, this.#budget, partly);
  }

  /** Names are checked twice, here while `thermos.*` is unbound (thermos.md §1.3) and again when bound. */
  #checkNames(): void {
    const unbound = list(object(this.#root['task'])['processes']);
    if (unbound.length === 0) defect('$.task.processes', 'must not be empty');
    const task = object(this.#bound('task', [], true));
    for (const [at, process] of list(task['processes']).entries()) {
      checkName(textOf(object(process)['name']), `$.task.processes[${at}].name`);
    }
  }

  #healthCheck(ports: Readonly<Record<string, number>>): TaskPlan['healthCheck'] {
    const config = object(this.#root['health_check_config']);
    if (object(config['health_checker'])['shell'] !== undefined) return 'shell';
    this.#bound('health_check_config', [
      values({ thermos: { task_id: this.context.taskId, ports: {} } }),
    ]);
    return Object.hasOwn(ports, 'health') ? 'http' : 'none';
  }
}

function parse(data: string): object {
  if (data.trim() === '') return defect('$', 'is empty');
  let raw: unknown;
  try {
    raw = JSON.parse(data);
  } catch {
    return defect('$', 'is not JSON');
  }
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
    ? raw
    : defect('$', 'must be an object');
}

function checkName(name: string, path: string): void {
  if (!PROCESS_NAME.test(name)) {
    defect(path, 'a process name must not be empty, start with a dot or hold a slash');
  }
}

function refuseDuplicates(processes: readonly ProcessPlan[]): void {
  const seen = new Set<string>();
  for (const [at, { name }] of processes.entries()) {
    if (seen.has(name)) defect(`$.task.processes[${at}].name`, `"${name}" is taken already`);
    seen.add(name);
  }
}

function processPlan(node: Node, at: number): ProcessPlan {
  const path = `$.task.processes[${at}]`;
  const fields = object(node);
  const name = textOf(fields['name']);
  const cmdline = textOf(fields['cmdline']);
  checkName(name, `${path}.name`);
  if (cmdline.includes('\0')) defect(`${path}.cmdline`, 'must not hold a NUL');
  const logger = loggerPlan(fields['logger'], `${path}.logger`);
  return {
    name,
    cmdline,
    maxFailures: int(fields, 'max_failures', path),
    daemon: bool(fields, 'daemon', path),
    ephemeral: bool(fields, 'ephemeral', path),
    final: bool(fields, 'final', path),
    minDurationSecs: Math.max(0, int(fields, 'min_duration', path)),
    ...(logger !== undefined && { logger }),
  };
}

const DESTINATIONS = ['file', 'console', 'both', 'none'] as const;
const MODES = ['standard', 'rotate'] as const;

function loggerPlan(node: Node | undefined, path: string): LoggerPlan | undefined {
  if (node === undefined) return undefined;
  const fields = object(node);
  const rotate = { log_size: '104857600', backups: '5', ...object(fields['rotate']) };
  const logSize = int(rotate, 'log_size', `${path}.rotate`);
  const backups = int(rotate, 'backups', `${path}.rotate`);
  const mode = scalar(fields['mode'], 'string', `${path}.mode`, MODES);
  if (logSize < 1) defect(`${path}.rotate.log_size`, 'must be at least 1');
  if (backups < 1) defect(`${path}.rotate.backups`, 'must be at least 1');
  return {
    destination: scalar(
      fields['destination'],
      'string',
      `${path}.destination`,
      DESTINATIONS,
    ) as LoggerPlan['destination'],
    mode: mode as LoggerPlan['mode'],
    rotate: { logSize, backups },
  };
}

function orderList(node: Node, at: number): { names: string[]; path: string }[] {
  const order = object(node)['order'];
  if (order === undefined) return [];
  return [{ names: list(order).map(textOf), path: `$.task.constraints[${at}].order` }];
}

function lifecyclePlan(
  lifecycle: NodeObject,
  ports: Readonly<Record<string, number>>,
): LifecyclePlan | undefined {
  if (lifecycle['http'] === undefined) return undefined;
  const http = object(lifecycle['http']);
  const path = '$.lifecycle.http';
  const name = textOf(http['port']);
  const port = Object.hasOwn(ports, name) ? ports[name] : undefined;
  const waits = {
    gracefulWaitSecs: Math.max(0, int(http, 'graceful_shutdown_wait_secs', path)),
    shutdownWaitSecs: Math.max(0, int(http, 'shutdown_wait_secs', path)),
  };
  if (port === undefined) return undefined;
  return {
    port,
    gracefulEndpoint: textOf(http['graceful_shutdown_endpoint']),
    shutdownEndpoint: textOf(http['shutdown_endpoint']),
    ...waits,
  };
}

/** A scope over fixed values; anything below them that is not there is unresolved. */
function values(tree: NodeObject): Scope {
  return nodeScope(tree);
}

function object(node: Node | undefined): NodeObject {
  return typeof node === 'object' && !isList(node) ? node : {};
}

function list(node: Node | undefined): readonly Node[] {
  return node !== undefined && isList(node) ? node : [];
}

function textOf(node: Node | undefined): string {
  return typeof node === 'string' ? node : '';
}

function value(fields: NodeObject, key: string, kind: ScalarKind, path: string): string {
  return scalar(fields[key], kind, `${path}.${key}`);
}

function int(fields: NodeObject, key: string, path: string): number {
  return Number(value(fields, key, 'int', path));
}

function bool(fields: NodeObject, key: string, path: string): boolean {
  return value(fields, key, 'bool', path) === 'True';
}
