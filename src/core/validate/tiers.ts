/** Tiers: what a task may be preempted for, and which tasks count as production (rpc.md §3). */

export interface Tier {
  readonly preemptible: boolean;
  readonly revocable: boolean;
}

export interface Tiers {
  /** A name in `tiers`; what a task without a tier gets. */
  readonly defaultName: string;
  /** By name, case-sensitive, in the order of the configuration. */
  readonly tiers: ReadonlyMap<string, Tier>;
}

/** The configuration when `-tier_config` is not given. */
export const BUILT_IN_TIERS: Tiers = {
  defaultName: 'preemptible',
  tiers: new Map([
    ['preferred', { preemptible: false, revocable: false }],
    ['preemptible', { preemptible: true, revocable: false }],
    ['revocable', { preemptible: true, revocable: true }],
  ]),
};

/** The IDL's `production`: neither preemptible nor revocable. */
export function isProductionTier(tier: Tier): boolean {
  return !tier.preemptible && !tier.revocable;
}

/** A tier configuration that does not allow the server to start. */
export class TierConfigError extends Error {
  override readonly name = 'TierConfigError';
  constructor(message: string) {
    super(`tier configuration: ${message}`);
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TierConfigError(`${what} must be an object`);
  }
  return value as JsonObject;
}

function refuseUnknownKeys(object: JsonObject, known: readonly string[], what: string): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new TierConfigError(`unknown key "${unknown}" in ${what}`);
}

/** A missing trait is false. */
function trait(tier: JsonObject, key: 'preemptible' | 'revocable', what: string): boolean {
  const value = tier[key] ?? false;
  if (typeof value !== 'boolean') throw new TierConfigError(`${what}.${key} must be true or false`);
  return value;
}

/**
 * Reads the text of a `-tier_config` file:
 * `{"default": name, "tiers": {name: {"preemptible": boolean, "revocable": boolean}}}`.
 * @throws TierConfigError when it is no such JSON, has an unknown key, no tier, or a default that is
 *   empty or not among the tiers
 */
export function parseTierConfig(text: string): Tiers {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TierConfigError(`no JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const root = objectOf(json, 'the document');
  refuseUnknownKeys(root, ['default', 'tiers'], 'the document');
  const defaultName = root['default'];
  if (typeof defaultName !== 'string' || defaultName === '') {
    throw new TierConfigError('"default" must name a tier');
  }
  const tiers = new Map<string, Tier>();
  for (const [name, value] of Object.entries(objectOf(root['tiers'], '"tiers"'))) {
    const what = `tiers.${name}`;
    const tier = objectOf(value, what);
    refuseUnknownKeys(tier, ['preemptible', 'revocable'], what);
    tiers.set(name, {
      preemptible: trait(tier, 'preemptible', what),
      revocable: trait(tier, 'revocable', what),
    });
  }
  if (tiers.size === 0) throw new TierConfigError('there are no tiers');
  if (!tiers.has(defaultName)) {
    throw new TierConfigError(`the default "${defaultName}" is not among the tiers`);
  }
  return { defaultName, tiers };
}
