/**
 * Who may call what (operations.md §1.3): reads are open; methods of AuroraSchedulerManager need a permission
 * for the job they are about, methods of AuroraAdmin one for themselves. Asked before the method runs, and
 * only while authentication is on.
 */
import type { Permission } from '../core/access/permission.js';
import { parsePermission, permits } from '../core/access/permission.js';
import type { JobKey } from '../core/model/keys.js';
import { isValidJobKey, jobKeyText } from '../core/model/keys.js';
import { IDENTIFIER_RULE } from '../core/validate/refusals.js';
import type { Caller, Outcome, RpcArguments } from './outcome.js';
import { refuse } from './outcome.js';

/** A method as an IDL declares it, as far as it matters here. */
export interface MethodShape {
  readonly name: string;
  readonly args: readonly {
    readonly name: string;
    readonly type: { readonly kind: string; readonly name?: string };
  }[];
}

/** Each service's own methods, without those of its bases. */
export interface Services {
  readonly open: readonly MethodShape[];
  readonly manager: readonly MethodShape[];
  readonly admin: readonly MethodShape[];
  readonly extension: readonly MethodShape[];
}

/** The services under the names the IDL gives them. @throws Error for one that is not there */
export function servicesOf(
  all: ReadonlyMap<string, { readonly methods: ReadonlyMap<string, MethodShape> }>,
): Services {
  const methods = (service: string): readonly MethodShape[] => {
    const found = all.get(service);
    if (found === undefined) throw new Error(`the IDL has no service ${service}`);
    return [...found.methods.values()];
  };
  return {
    open: methods('ReadOnlyScheduler'),
    manager: methods('AuroraSchedulerManager'),
    admin: methods('AuroraAdmin'),
    extension: methods('AuroraShim'),
  };
}

export type AccessFailure = 'permission' | 'bad_job_key';

const MANAGER = 'thrift.AuroraSchedulerManager';
const ADMIN = 'thrift.AuroraAdmin';

/** Where the job key of an argument stands in it, by the argument's type. */
const JOB_OF: Readonly<Record<string, readonly string[]>> = {
  JobConfiguration: ['key'],
  JobKey: [],
  InstanceKey: ['jobKey'],
  JobUpdateRequest: ['taskConfig', 'job'],
  JobUpdateKey: ['job'],
};

/** The way to the job key from the arguments: names of members, the argument's own name first. */
type Scope = readonly [string, ...string[]];

/** @throws Error unless exactly one argument tells which job a call is about: a mistake in the IDL */
export function scopeOf({ name, args }: MethodShape): Scope {
  const [scope, ...others] = args.flatMap((arg): Scope[] => {
    const type = arg.type.kind === 'struct' ? (arg.type.name ?? '') : '';
    const way = Object.hasOwn(JOB_OF, type) ? JOB_OF[type] : undefined;
    return way === undefined ? [] : [[arg.name, ...way]];
  });
  if (scope === undefined) throw new Error(`no argument of ${name} tells its job`);
  if (others.length > 0) throw new Error(`more than one argument of ${name} tells its job`);
  return scope;
}

/**
 * - `open`: everybody.
 * - `login`: anybody who has logged in; the method itself asks `mayPulse`, for it alone knows the job.
 */
type Protection =
  | { readonly kind: 'open' | 'login' }
  | { readonly kind: 'job'; readonly scope: Scope }
  | { readonly kind: 'admin'; readonly target: Permission };

/** Our own methods (docs/extension.md): what blocks an update can be read in Aurora's open reads, too. */
const EXTENSION: Readonly<Record<string, Protection>> = {
  heartbeatJobUpdate: { kind: 'login' },
  pulseJobUpdates: { kind: 'login' },
  getJobUpdateBlockers: { kind: 'open' },
};

function memberAt(args: RpcArguments, scope: Scope): unknown {
  let value: unknown = args;
  for (const name of scope) value = (value as RpcArguments | undefined)?.[name];
  return value;
}

/** What a caller holds; undefined for somebody who has not logged in. */
function grantsOf({ access }: Caller): readonly Permission[] | undefined {
  // A caller of whom nothing is known has not logged in either.
  return access === 'anonymous' ? undefined : access;
}

function jobTarget(method: string, { role, environment, name }: JobKey): Permission {
  return parsePermission(`${MANAGER}:${method}:${role}:${environment}:${name}`);
}

export class Authorization {
  private readonly methods = new Map<string, Protection>();

  /**
   * @param onFailure told of each call that is refused, but for want of a login
   * @throws Error for a method that nobody has thought about, or whose job is not clear
   */
  constructor(
    services: Services,
    private readonly onFailure: (kind: AccessFailure) => void,
  ) {
    for (const { name } of services.open) this.methods.set(name, { kind: 'open' });
    for (const method of services.manager) {
      this.methods.set(method.name, { kind: 'job', scope: scopeOf(method) });
    }
    for (const { name } of services.admin) {
      this.methods.set(name, { kind: 'admin', target: parsePermission(`${ADMIN}:${name}`) });
    }
    for (const { name } of services.extension) {
      const protection = Object.hasOwn(EXTENSION, name) ? EXTENSION[name] : undefined;
      if (protection === undefined) throw new Error(`nothing says who may call ${name}`);
      this.methods.set(name, protection);
    }
  }

  /** Whether this caller has to log in first, whatever the arguments are. */
  needsLogin(method: string, caller: Caller): boolean {
    return this.methods.get(method)?.kind !== 'open' && grantsOf(caller) === undefined;
  }

  /** Why the caller may not make this call; undefined lets it through. Ask `needsLogin` first. */
  refusal(method: string, args: RpcArguments, caller: Caller): Outcome | undefined {
    const protection = this.methods.get(method);
    switch (protection?.kind) {
      case 'open':
      case 'login':
        return undefined;
      case 'admin':
        return this.may(caller, protection.target)
          ? undefined
          : this.refuse(`${caller.user} may not call ${method}.`);
      case 'job': {
        const { scope } = protection;
        const job = memberAt(args, scope) as Partial<JobKey> | undefined;
        // Before any permission is looked at: not even `*` covers a job that cannot be.
        if (!isValidJobKey(job)) return this.badKey(scope, job);
        return this.may(caller, jobTarget(method, job))
          ? undefined
          : this.notForJob(method, job, caller);
      }
      case undefined:
        return this.refuse(`${caller.user} may not call ${method}.`);
    }
  }

  /** For heartbeats whose job is not in an argument of its own: the permission of pulseJobUpdate. */
  mayPulse(caller: Caller, job: JobKey): boolean {
    return this.may(caller, jobTarget('pulseJobUpdate', job));
  }

  /** The answer for a job that the caller holds no permission for. */
  notForJob(method: string, job: JobKey, caller: Caller): Outcome {
    return this.refuse(`${caller.user} may not call ${method} for ${jobKeyText(job)}.`);
  }

  /** Counts a refusal that is answered in some other way than by an Outcome from here. */
  failed(kind: AccessFailure): void {
    this.onFailure(kind);
  }

  private may(caller: Caller, target: Permission): boolean {
    const grants = grantsOf(caller);
    return grants !== undefined && permits(grants, target);
  }

  private refuse(message: string): Outcome {
    this.onFailure('permission');
    return refuse('AUTH_FAILED', message);
  }

  private badKey(scope: Scope, job: Partial<JobKey> | undefined): Outcome {
    this.onFailure('bad_job_key');
    const field = scope.join('.');
    return refuse(
      'INVALID_REQUEST',
      job === undefined
        ? `${field} must be set`
        : `${field}: role, environment and name each ${IDENTIFIER_RULE}`,
    );
  }
}
