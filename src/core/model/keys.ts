/** Names of things: job keys, update keys, instance keys (rpc.md §4). */

export interface JobKey {
  readonly role: string;
  readonly environment: string;
  readonly name: string;
}

export interface JobUpdateKey {
  readonly job: JobKey;
  /** A random UUID made by the scheduler; clients cannot choose it. */
  readonly id: string;
}

const GOOD_IDENTIFIER = /^[\w\-.]+$/;
const MAX_IDENTIFIER_LENGTH = 255;

/** True for 1 to 255 ASCII word characters, dashes and dots (IDL constant GOOD_IDENTIFIER_PATTERN). */
export function isGoodIdentifier(text: string | undefined): text is string {
  return text !== undefined && text.length <= MAX_IDENTIFIER_LENGTH && GOOD_IDENTIFIER.test(text);
}

export function isValidJobKey(key: Partial<JobKey> | undefined): key is JobKey {
  return (
    key !== undefined &&
    isGoodIdentifier(key.role) &&
    isGoodIdentifier(key.environment) &&
    isGoodIdentifier(key.name)
  );
}

/** `role/environment/name`: unambiguous, because no part of a valid key holds a slash. */
export function jobKeyText(key: JobKey): string {
  return `${key.role}/${key.environment}/${key.name}`;
}

/** `role/environment/name/id`: the key of the in-process maps of updates. */
export function updateKeyText(key: JobUpdateKey): string {
  return `${jobKeyText(key.job)}/${key.id}`;
}

/** `role/environment/name/instance`. */
export function instanceKeyText(job: JobKey, instanceId: number): string {
  return `${jobKeyText(job)}/${instanceId}`;
}

/** Reads `role/environment/name`; undefined when the text is not a valid job key. */
export function parseJobKey(text: string): JobKey | undefined {
  const [role, environment, name, ...rest] = text.split('/');
  const key = { role, environment, name } as Partial<JobKey>;
  return rest.length === 0 && isValidJobKey(key) ? key : undefined;
}
