/**
 * RPC tests' world: the methods over a whole scheduler (test/support/world.ts), with the fixture of
 * rpc.md §15. Every answer is encoded on its way, so that a result which does not fit the IDL fails here.
 */
import type { Constraint, JobConfiguration, TaskConfig } from '../../src/core/model/config.js';
import type { JobKey, JobUpdateKey } from '../../src/core/model/keys.js';
import type { ValidationLimits } from '../../src/core/validate/limits.js';
import type { RpcDeps, RpcSettings } from '../../src/rpc/methods.js';
import { createExtension } from '../../src/rpc/extension.js';
import { createMethods } from '../../src/rpc/methods.js';
import { createFromCore } from '../../src/wire/from-core.js';
import { shimSchema } from '../../src/wire/idl.js';
import type { Reply } from '../../src/wire/responses.js';
import { replyOfError, replyStruct, writeReply } from '../../src/wire/responses.js';
import { methodsOf } from '../../src/wire/schema.js';
import { BinaryWriter } from '../../src/wire/tbinary.js';
import { KEY, LIMITS, aJob, aRequest, aTask } from '../core/validate/fixtures.js';
import type { WorldOptions } from '../support/world.js';
import { World } from '../support/world.js';

export { KEY, LIMITS, aJob, aRequest, aTask };

const fromCore = createFromCore(shimSchema());
const shapes = methodsOf(shimSchema(), 'AuroraShim');
const SERVER_INFO = { clusterName: 'test', statsUrlPrefix: '' };

export interface RpcWorldOptions extends WorldOptions {
  readonly limits?: Partial<ValidationLimits>;
  readonly rpc?: Partial<RpcSettings>;
}

/** Results are looked at member by member; a test knows what it asked for. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Result = any;

export interface Answer {
  readonly code: string;
  readonly details: readonly string[];
  /** The one member of the union Result, the result itself in the extension's replies, or undefined. */
  readonly result: Result;
}

export class RpcWorld {
  private constructor(
    readonly world: World,
    private readonly options: RpcWorldOptions,
  ) {}

  static async create(options: RpcWorldOptions = {}): Promise<RpcWorld> {
    return new RpcWorld(await World.create(options), options);
  }

  close(): Promise<void> {
    return this.world.close();
  }

  get limits(): ValidationLimits {
    return { ...LIMITS, ...this.options.limits };
  }

  /** One RPC, the way the wire layer calls it; nothing is settled afterwards. */
  async call(method: string, args: Record<string, unknown> = {}, user = 'shiro'): Promise<Answer> {
    const deps: RpcDeps = {
      engine: this.world.engine,
      limits: this.limits,
      settings: { unknownPulseResponse: 'INVALID_REQUEST', ...this.options.rpc },
      stats: this.world.stats,
    };
    const methods = { ...createMethods(deps), ...createExtension(deps) };
    let reply: Reply;
    try {
      const pending = methods[method]?.(args, { user });
      // Whatever goes wrong must be a rejection: a throw would have left this statement.
      expect(pending).toBeInstanceOf(Promise);
      reply = await pending!;
    } catch (error) {
      const failed = replyOfError(error);
      if (failed === 'unknown' || !(error instanceof Error)) throw error;
      reply = failed;
    }
    const struct = replyStruct(shimSchema(), shapes.get(method)!);
    const call = { name: method, seqid: 1 };
    await writeReply(new BinaryWriter(), fromCore, call, reply, SERVER_INFO, struct);
    for (const detail of reply.details) expect(detail).toEqual(expect.any(String));
    const { code, result } = reply;
    const details = reply.details as string[];
    if (struct !== 'Response') return { code, details, result };
    const members = Object.values(result ?? {});
    expect(members.length).toBe(result === undefined ? 0 : 1);
    return { code, details, result: members[0] };
  }

  /** `CODE` or, with details, `CODE: text`: what most refusals are compared by. */
  async verdict(method: string, args: Record<string, unknown> = {}): Promise<string> {
    const { code, details } = await this.call(method, args);
    return details.length === 0 ? code : `${code}: ${details.join(' | ')}`;
  }

  /** The result of a call that must be OK without details. */
  async ok(method: string, args: Record<string, unknown> = {}, user?: string): Promise<Result> {
    const answer = await this.call(method, args, user);
    expect(answer).toMatchObject({ code: 'OK', details: [] });
    return answer.result;
  }

  stat(name: string): number {
    return Number(this.world.stats.snapshot()[name] ?? 0);
  }

  /** Creates the fixture's job by RPC and brings its tasks up. */
  async running(
    instanceCount: number,
    task: Partial<TaskConfig> = {},
    key: JobKey = KEY,
  ): Promise<void> {
    await this.ok('createJob', { description: jobOf({ ...task, job: key }, instanceCount) });
    await this.world.settle();
    for (let id = 0; id < instanceCount; id++) await this.world.report(key, id, 'running');
  }

  /** Active tasks with these configs by instance id, written past the RPCs: jobs no client could make. */
  async place(configs: Readonly<Record<number, TaskConfig>>): Promise<void> {
    const { engine, db } = this.world;
    for (const [id, config] of Object.entries(configs)) {
      await db.write({}, (tx) =>
        engine.tasks.insertPending(tx, config.job, engine.configs.identify(config), [Number(id)]),
      );
    }
    await this.world.settle();
  }

  /** Starts an update by RPC and returns its key. */
  async startUpdate(request: ReturnType<typeof aRequest>, message?: string): Promise<JobUpdateKey> {
    const { key } = await this.ok('startJobUpdate', { request, message });
    await this.world.settle();
    return key as JobUpdateKey;
  }

  /** Details of one update by query. */
  async details(key: JobUpdateKey): Promise<Result> {
    const { detailsList } = await this.ok('getJobUpdateDetails', { query: { key } });
    expect(detailsList).toHaveLength(1);
    return detailsList[0];
  }
}

/** No host has it: tasks with this constraint stay PENDING. */
export const NOWHERE: Constraint = {
  name: 'rack',
  constraint: { value: { negated: false, values: ['nowhere'] } },
};

export function jobOf(
  task: Partial<TaskConfig> = {},
  instanceCount = 1,
  change: Partial<JobConfiguration> = {},
): JobConfiguration {
  return aJob(task, { instanceCount, key: task.job ?? KEY, ...change });
}

/** A service with this executor data: what tells one version from another. */
export function version(data: string, more: Partial<TaskConfig> = {}): TaskConfig {
  return aTask({ isService: true, executorConfig: { name: 'AuroraExecutor', data }, ...more });
}

/** The config as validation leaves it under the fixture's limits. */
export function populated(config: TaskConfig): TaskConfig {
  return { ...config, tier: 'tier-dev', production: false };
}

/** The data of each group's config and its ranges, as `data [first-last]…`, sorted. */
export function groupsText(
  groups: readonly {
    config?: TaskConfig;
    task?: TaskConfig;
    instances: { first: number; last: number }[];
  }[],
): string[] {
  return groups
    .map(({ config, task, instances }) => {
      const ranges = instances.map(({ first, last }) => `[${first}-${last}]`).join('');
      return `${(config ?? task)?.executorConfig?.data} ${ranges}`;
    })
    .sort();
}
