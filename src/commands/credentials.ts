/** Whom a command logs in as, from its options and the environment; never a password on a command line. */
import { readFileSync } from 'node:fs';
import type { ClientCredentials } from '../wire/client.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface CredentialOptions {
  readonly user?: string | undefined;
  /** Its first line is the password. */
  readonly password_file?: string | undefined;
}

const USER = 'AURORA_SHIM_USER';
const PASSWORD = 'AURORA_SHIM_PASSWORD';

/**
 * Undefined where neither a user nor a password is given. Options go before the environment.
 *
 * @throws Error for one without the other, or a file that cannot be read
 */
export function readCredentials(
  { user, password_file: file }: CredentialOptions,
  env: Environment,
): ClientCredentials | undefined {
  const name = user ?? env[USER];
  const password = file === undefined ? env[PASSWORD] : firstLine(file);
  if (name === undefined && password === undefined) return undefined;
  if (name === undefined) throw new Error(`a password needs --user or ${USER}`);
  if (name === '' || name.includes(':')) {
    throw new Error('--user must not be empty, nor hold a colon');
  }
  if (password === undefined || password === '') {
    throw new Error(`user ${name} needs a password: --password_file or ${PASSWORD}`);
  }
  return { user: name, password };
}

function firstLine(file: string): string {
  return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '';
}
