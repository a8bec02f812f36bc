/** Users and what they may do, from the sections `users` and `roles` of an INI (operations.md §1.4). */
import type { IniEntry } from './ini.js';
import { lineError, parseIni, tokensOf } from './ini.js';
import type { Permission } from './permission.js';
import { parsePermission } from './permission.js';

export interface Account {
  /** Case counts. */
  readonly name: string;
  readonly password: string;
  /** The union over its roles; empty for who may log in and do nothing. */
  readonly permissions: readonly Permission[];
}

export interface Realm {
  readonly accounts: readonly Account[];
  /** Roles that users have and no line defines: they grant nothing, and are most likely misspelt. */
  readonly undefinedRoles: readonly string[];
}

const SECTIONS = ['users', 'roles'];

/** By name; of several lines for one name the last counts. */
function named<T>(
  entries: readonly IniEntry[] = [],
  read: (entry: IniEntry) => T,
): ReadonlyMap<string, T> {
  return new Map(entries.map((entry) => [entry.key, read(entry)]));
}

function permissionsOf(entry: IniEntry): readonly Permission[] {
  return tokensOf(entry).map((token) => {
    try {
      return parsePermission(token);
    } catch (error) {
      throw lineError(entry.line, `role ${entry.key}: ${(error as Error).message}`);
    }
  });
}

function loginOf(entry: IniEntry): { readonly password: string; readonly roles: string[] } {
  const [password = '', ...roles] = tokensOf(entry);
  // The value itself stays out of the message.
  if (password === '') throw lineError(entry.line, `user ${entry.key} has no password`);
  return { password, roles: roles.filter((role) => role !== '') };
}

/** @throws Error that names the line and the rule it breaks */
export function parseRealm(text: string): Realm {
  const sections = parseIni(text);
  for (const [name, [first]] of sections) {
    if (SECTIONS.includes(name)) continue;
    const where = name === '' ? 'stands before the first section' : `belongs to section [${name}]`;
    throw lineError(first?.line ?? 1, `${where}; there may only be [users] and [roles]`);
  }
  if (sections.size === 0) throw new Error('has neither a section [users] nor [roles]');
  const roles = named(sections.get('roles'), permissionsOf);
  const logins = named(sections.get('users'), loginOf);
  const accounts = [...logins].map(([name, { password, roles: its }]) => ({
    ...{ name, password },
    permissions: its.flatMap((role) => roles.get(role) ?? []),
  }));
  const wanted = new Set([...logins.values()].flatMap((login) => login.roles));
  return { accounts, undefinedRoles: [...wanted].filter((role) => !roles.has(role)) };
}
