/**
 * What is said to an SLA coordinator and what its reply means (tasks.md §9.2). The call itself is
 * `outbound/coordinator.ts`; the engine knows it as a function of the type below.
 */
import type { JobKey } from '../model/keys.js';
import { instanceKeyText } from '../model/keys.js';

/** May this task be killed? */
export interface CoordinatorQuestion {
  readonly url: string;
  /** The member of the reply that says yes. */
  readonly statusKey: string;
  readonly job: JobKey;
  readonly instanceId: number;
  /** The IDL's ScheduledTask, in its field names. */
  readonly task: Readonly<Record<string, unknown>>;
  /** Further members of the body. */
  readonly params?: Readonly<Record<string, string>>;
}

/**
 * Asks, and calls `act` exactly once, with whether the kill was granted; everything that is not a clear
 * yes is a no. Nobody else asks the same coordinator before `act` has ended.
 */
export type AskCoordinator = (
  question: CoordinatorQuestion,
  act: (isGranted: boolean) => Promise<void>,
) => Promise<void>;

export const DEFAULT_STATUS_KEY = 'drain';

/** `cluster/role/environment/name/instance`: what coordinators know an instance by. */
export function clusterInstanceKey(clusterName: string, job: JobKey, instanceId: number): string {
  return `${clusterName}/${instanceKeyText(job, instanceId)}`;
}

/** The URL with the instance in its query, behind what the query has already; a fragment is dropped. */
export function coordinatorUrl(url: string, instanceKey: string): string {
  const [base = ''] = url.split('#', 1);
  const glue = !base.includes('?') ? '?' : /[?&]$/.test(base) ? '' : '&';
  return `${base}${glue}task=${encodeURIComponent(instanceKey)}`;
}

export interface CoordinatorReply {
  readonly httpStatus: number;
  readonly body: string;
}

/** `problem` says what is wrong with a reply that is neither a yes nor a no. */
export type CoordinatorAnswer =
  | { readonly isGranted: boolean; readonly problem?: undefined }
  | { readonly isGranted: false; readonly problem: string };

/** Only a 200 with the boolean true under the status key is a yes. */
export function readAnswer(reply: CoordinatorReply, statusKey: string): CoordinatorAnswer {
  const no = (problem: string): CoordinatorAnswer => ({ isGranted: false, problem });
  if (reply.httpStatus !== 200) return no(`it answered HTTP ${reply.httpStatus}`);
  let answer: unknown;
  try {
    answer = JSON.parse(reply.body);
  } catch {
    return no('its reply is no JSON');
  }
  if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, statusKey)) {
    return no(`its reply has no member ${JSON.stringify(statusKey)}`);
  }
  const isGranted = (answer as Record<string, unknown>)[statusKey];
  return typeof isGranted === 'boolean'
    ? { isGranted }
    : no(`${JSON.stringify(statusKey)} in its reply is no boolean`);
}
